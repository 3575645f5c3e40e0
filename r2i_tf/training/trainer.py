"""One collect step and one train step of a run, as compiled functions.

  environments -> driver -> replay buffer -> dataset -> agent.train

The trainer knows nothing of time, files or when to stop; `run` does.
"""

from typing import Any, Dict, Mapping

import numpy as np
import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.drivers import dynamic_step_driver
from tf_agents.environments import tf_py_environment
from tf_agents.replay_buffers import tf_uniform_replay_buffer
from tf_agents.utils import common

from r2i_tf import run_config
from r2i_tf.replay import files as replay_files
from r2i_tf.training import episodes
from r2i_tf.training import schedule


class Trainer:
  """Collects experience and trains the agent on it at the configured ratio."""

  def __init__(
      self,
      config: run_config.RunConfig,
      environment: tf_py_environment.TFPyEnvironment,
      recorder: episodes.EpisodeRecorder,
      agent: tf_agent.TFAgent,
  ):
    """Builds the replay buffer, the driver and the dataset.

    Args:
      config: The run.
      environment: The environments, batched, over `recorder`.
      recorder: Counts the steps of `environment`.
      agent: The agent; its variables exist already.
    """
    agent.initialize()
    self._config = config
    self._recorder = recorder
    self._agent = agent
    self._replay = tf_uniform_replay_buffer.TFUniformReplayBuffer(
        agent.collect_data_spec,
        batch_size=config.parallel_environments,
        max_length=config.replay.capacity // config.parallel_environments,
    )
    driver = dynamic_step_driver.DynamicStepDriver(
        environment,
        agent.collect_policy,
        observers=[self._replay.add_batch],
        num_steps=config.collect_steps * config.parallel_environments,
    )
    self._run_driver = common.function(driver.run)
    # Environments are not part of a checkpoint: a run that goes on resets them,
    # and the FIRST step that comes from it cuts the sequence in the replay.
    self._time_step = environment.reset()
    self._policy_state = agent.collect_policy.get_initial_state(
        config.parallel_environments
    )
    self._batches = iter(_dataset(self._replay, config.replay))
    self._train_function = common.function(self._train)
    self._loss_names = ()
    self._loss_sum = 0.0
    self._loss_count = 0
    self.train_steps = 0

  def collect(self) -> None:
    """Takes `collect_steps` in each environment.

    Raises:
      environments.FaultyEnvironmentError: One raised, or broke its specs.
      environments.CrashedEnvironmentError: One crashed once too often.
    """
    try:
      self._time_step, self._policy_state = self._run_driver(
          self._time_step, self._policy_state
      )
      return
    except tf.errors.OpError:
      if self._recorder.fault is None:
        raise
    raise self._recorder.fault

  def train_is_due(self) -> bool:
    """Returns whether the train ratio asks for another train step."""
    steps = self._recorder.environment_steps
    return self.train_steps < schedule.train_steps_after(steps, self._config)

  def train(self) -> None:
    """Takes one train step, on one batch; waits for no device."""
    self._loss_sum += self._train_function()
    self._loss_count += 1
    self.train_steps += 1

  def take_losses(self) -> Dict[str, float]:
    """Returns the mean of each loss since the last call; waits for them."""
    if not self._loss_count:
      return {}
    means = np.asarray(self._loss_sum) / self._loss_count
    self._loss_sum, self._loss_count = 0.0, 0
    return dict(zip(self._loss_names, means.tolist()))

  def trackables(self) -> Mapping[str, Any]:
    """Returns what a checkpoint holds as TensorFlow variables."""
    return {
        'agent': self._agent,
        'train_step': self._agent.train_step_counter,
    }

  def replay_files(self) -> replay_files.ReplayFiles:
    """Returns what a checkpoint holds of the replay, as files of its own."""
    return replay_files.ReplayFiles(
        self._replay, self._config.parallel_environments
    )

  def state(self) -> Mapping[str, Any]:
    """Returns the counters of a checkpoint, as plain values."""
    return {'train_steps': self.train_steps, **self._recorder.state()}

  def restore(self, state: Mapping[str, Any]) -> None:
    """Continues the counters of `state`."""
    self.train_steps = state['train_steps']
    self._recorder.restore(state)

  def _train(self) -> tf.Tensor:
    """Trains on the next batch; returns its losses as one vector."""
    experience, _ = self._batches.get_next()
    info = self._agent.train(experience)
    extra = info.extra
    if hasattr(extra, '_asdict'):
      extra = extra._asdict()
    losses = {'loss': info.loss, **(extra or {})}
    self._loss_names = tuple(losses)  # Known once the function is traced.
    return tf.stack([tf.cast(loss, tf.float32) for loss in losses.values()])


def _dataset(
    replay: tf_uniform_replay_buffer.TFUniformReplayBuffer,
    config: run_config.ReplayConfig,
) -> tf.data.Dataset:
  """Returns batches [B, T] that are drawn when they are asked for.

  A batch fetched ahead would be drawn from a replay that depends on the
  threads' timing, and the same seed would no longer give the same run.
  """
  options = tf.data.Options()
  options.experimental_optimization.inject_prefetch = False
  return replay.as_dataset(
      sample_batch_size=config.batch_size, num_steps=config.sequence_length
  ).with_options(options)
