"""PPO from TF-Agents on our environments: the model-free baseline.

  python -m experiments.ppo --task=bsuite/memory_len/9 --memory=lstm \
      --workdir=runs/ppo

Agent, networks, driver and buffer are those of TF-Agents; of r2i_tf there are
the environments and the record, so that r2i-sweep and r2i-report take its runs
as those of r2i-train. Given the same --workdir again, a run goes on.

A round takes the same number of steps in each environment and learns from them.
An LSTM starts a round's batch from zeros, which is what the policy has had only
from the first start of an episode on: what is before has no weight.
"""

import r2i_tf  # noqa: F401  Before TF-Agents: it chooses the Keras 2 of that.

# isort: split
import json
import pathlib
import signal
import time

from absl import app
from absl import flags
import numpy as np
import tensorflow as tf
from tf_agents.agents.ppo import ppo_clip_agent
from tf_agents.drivers import dynamic_step_driver
from tf_agents.environments import tf_py_environment
from tf_agents.environments import wrappers
from tf_agents.networks import actor_distribution_network
from tf_agents.networks import actor_distribution_rnn_network
from tf_agents.networks import categorical_projection_network
from tf_agents.networks import value_network
from tf_agents.networks import value_rnn_network
from tf_agents.replay_buffers import tf_uniform_replay_buffer
from tf_agents.specs import array_spec
from tf_agents.trajectories import time_step as ts
from tf_agents.utils import common

from r2i_tf import environments
from r2i_tf import files
from r2i_tf.record import metrics
from r2i_tf.record import outcome
from r2i_tf.record import progress
from r2i_tf.record import records
from r2i_tf.record import returns

_WORKDIR = flags.DEFINE_string('workdir', None, 'Of the run.', required=True)
_TASK = flags.DEFINE_string('task', 'bsuite/catch/0', 'The task.')
_SEED = flags.DEFINE_integer('seed', 0, 'Of everything random.')
_STEPS = flags.DEFINE_integer('steps', 100_000, 'Environment steps.')
_STOP = flags.DEFINE_float('stop_at_return', None, 'Ends the run, as ours.')
_MEMORY = flags.DEFINE_enum('memory', 'lstm', ['lstm', 'none'], 'Of both nets.')
_UNITS = flags.DEFINE_integer('units', 64, 'Of each layer and of the LSTM.')
_COUNT = flags.DEFINE_integer('environments', 16, 'Stepped together.')
_ROUND = flags.DEFINE_integer('round', 128, 'Steps of each in a round.')
_EPOCHS = flags.DEFINE_integer('epochs', 10, 'Updates on a round.')
_RATE = flags.DEFINE_float('learning_rate', 1e-3, 'Of Adam.')
_ENTROPY = flags.DEFINE_float('entropy', 0.01, 'Scale of the bonus.')
_DISCOUNT = flags.DEFINE_float('discount', 0.99, 'Of rewards.')
_LAMBDA = flags.DEFINE_float('lambda_value', 0.95, 'Of the advantages.')

# It makes an int of an array of one number, which newer NumPys no longer do.
categorical_projection_network.int = lambda array: np.asarray(array).item()

_LOG_SECONDS, _SAVE_SECONDS = 10.0, 60.0


class _Floats(wrappers.PyEnvironmentBaseWrapper):
  """Observations as float32.

  TF-Agents makes a network's variables by a sample of what it sees, for which
  it adds 1 to the greatest number; newer NumPys make 0 of 255 + 1 in uint8.
  """

  def observation_spec(self):
    return tf.nest.map_structure(
        lambda spec: array_spec.ArraySpec(spec.shape, np.float32, spec.name),
        super().observation_spec(),
    )

  def _reset(self):
    return self._cast(super()._reset())

  def _step(self, action):
    return self._cast(super()._step(action))

  def _cast(self, time_step):
    return time_step._replace(
        observation=tf.nest.map_structure(np.float32, time_step.observation)
    )


class _Recorder(wrappers.PyEnvironmentBaseWrapper):
  """Counts the steps and episodes of a batch of environments."""

  def __init__(self, environment):
    super().__init__(environment)
    self.steps, self.episodes = 0, 0
    self.returns = returns.Returns()
    self._running = np.zeros([environment.batch_size])

  def _step(self, action):
    time_step = super()._step(action)
    first = time_step.step_type == ts.StepType.FIRST
    self._running = np.where(first, 0.0, self._running + time_step.reward)
    self.steps += int(np.count_nonzero(~first))
    for i in np.flatnonzero(time_step.step_type == ts.StepType.LAST):
      self.episodes += 1
      info = self._env.envs[i].get_info()
      self.returns.add(self.steps, float(self._running[i]), info)
    return time_step


class _AsVector(tf.keras.layers.Layer):
  """One part of an observation as a float32 vector."""

  def call(self, observation):
    shape = [tf.shape(observation)[0], np.prod(observation.shape[1:])]
    return tf.reshape(observation, shape)


def _agent(environment) -> ppo_clip_agent.PPOClipAgent:
  """Returns the agent."""
  time_step_spec = environment.time_step_spec()
  observation, action = time_step_spec.observation, environment.action_spec()
  inputs = {
      'preprocessing_layers': tf.nest.map_structure(
          lambda _: _AsVector(), observation
      ),
      'preprocessing_combiner': tf.keras.layers.Concatenate()
      if len(tf.nest.flatten(observation)) > 1
      else None,
  }
  layers = (_UNITS.value,)
  if _MEMORY.value == 'lstm':
    lstm = {
        'input_fc_layer_params': layers,
        'lstm_size': layers,
        'output_fc_layer_params': layers,
        **inputs,
    }
    actor = actor_distribution_rnn_network.ActorDistributionRnnNetwork(
        observation, action, **lstm
    )
    critic = value_rnn_network.ValueRnnNetwork(observation, **lstm)
  else:
    mlp = {'fc_layer_params': 2 * layers, **inputs}
    actor = actor_distribution_network.ActorDistributionNetwork(
        observation, action, **mlp
    )
    critic = value_network.ValueNetwork(observation, **mlp)
  return ppo_clip_agent.PPOClipAgent(
      time_step_spec,
      action,
      optimizer=tf.keras.optimizers.Adam(_RATE.value),
      actor_net=actor,
      value_net=critic,
      importance_ratio_clipping=0.2,
      lambda_value=_LAMBDA.value,
      discount_factor=_DISCOUNT.value,
      entropy_regularization=_ENTROPY.value,
      num_epochs=_EPOCHS.value,
      use_gae=True,
      use_td_lambda_return=True,
      normalize_rewards=False,
      normalize_observations=False,
      gradient_clipping=0.5,
      train_step_counter=tf.Variable(0, dtype=tf.int64),
  )


def _weights(experience) -> tf.Tensor:
  """Returns 0 before the first start of an episode in each row, then 1."""
  if _MEMORY.value == 'none':
    return tf.ones_like(experience.reward)
  is_first = tf.cast(experience.is_first(), tf.float32)
  return tf.minimum(1.0, tf.cumsum(is_first, axis=1))


class _Counts(tf.Module):
  """What a checkpoint has beside the agent."""

  def __init__(self):
    super().__init__()
    self.steps = tf.Variable(0, dtype=tf.int64)
    self.episodes = tf.Variable(0, dtype=tf.int64)
    self.seconds = tf.Variable(0.0, dtype=tf.float64)


def _keep_config(workdir: pathlib.Path) -> None:
  """Writes what the run is, and refuses to go on with another one."""
  path = workdir / 'config.json'
  now = {name: flags.FLAGS[name].value for name in _NAMES}
  before = json.loads(path.read_text())['config'] if path.exists() else {}
  for name, value in now.items():
    if name not in _ENDS and before.get(name, value) != value:
      raise SystemExit(
          f'--workdir {workdir} has a run with --{name}={before[name]}, not'
          f' {value}: use another --workdir.'
      )
  workdir.mkdir(parents=True, exist_ok=True)
  files.write_json(path, {'config': now})


def main(_) -> None:
  """Trains, from the start or from where the run stopped."""
  stopped: list[int] = []
  for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda number, _: stopped.append(number))
  workdir = pathlib.Path(_WORKDIR.value)
  _keep_config(workdir)
  counts = _Counts()
  # Environments and actions of a run that goes on are not those of its start.
  checkpoint = tf.train.Checkpoint(counts=counts)
  folder = str(workdir / 'checkpoints')
  checkpoint.restore(tf.train.latest_checkpoint(folder)).expect_partial()
  begun = int(counts.steps)
  tf.keras.utils.set_random_seed(
      int(
          np.random.SeedSequence([_SEED.value, begun]).generate_state(1)[0] >> 1
      )
  )
  recorder = _Recorder(
      environments.load_batch(_TASK.value, _SEED.value + begun, _COUNT.value)
  )
  environment = tf_py_environment.TFPyEnvironment(_Floats(recorder))
  agent = _agent(environment)
  agent.initialize()
  checkpoint = tf.train.Checkpoint(
      counts=counts,
      actor=agent.actor_net,
      critic=agent._value_net,
      optimizer=agent._optimizer,
      train_steps=agent.train_step_counter,
  )
  manager = tf.train.CheckpointManager(checkpoint, folder, max_to_keep=2)
  checkpoint.restore(manager.latest_checkpoint)
  recorder.steps, recorder.episodes = begun, int(counts.episodes)
  writer = metrics.MetricsWriter(
      workdir / records.FILE,
      workdir / 'tensorboard',
      begun,
      int(agent.train_step_counter),
      lambda: None,
  )
  show = progress.Progress(_STEPS.value)
  buffer = tf_uniform_replay_buffer.TFUniformReplayBuffer(
      agent.collect_data_spec, _COUNT.value, max_length=_ROUND.value
  )
  driver = dynamic_step_driver.DynamicStepDriver(
      environment,
      agent.collect_policy,
      observers=[buffer.add_batch],
      num_steps=2**31 - 1,  # A round is as many steps of each, instead.
  )
  collect = common.function(driver.run)
  train = common.function(
      lambda experience: agent.train(experience, _weights(experience))
  )
  time_step = environment.reset()
  state = agent.collect_policy.get_initial_state(_COUNT.value)
  start = time.monotonic() - float(counts.seconds)
  logged = saved = time.monotonic()
  before = begun, int(agent.train_step_counter)

  def log() -> None:
    nonlocal logged, before
    now = recorder.steps, int(agent.train_step_counter)
    if now == before:
      return
    took = max(time.monotonic() - logged, 1e-9)
    rates = [(b - a) / took for a, b in zip(before, now)]
    logged, before = time.monotonic(), now
    mean = recorder.returns.mean(records.SHOWN)
    writer.write(
        {
            records.STEP: now[0],
            records.TRAIN_STEP: now[1],
            'episodes': recorder.episodes,
            'minutes': (time.monotonic() - start) / 60,
            'mean_return_100': mean,
            'mean_return_200': recorder.returns.mean(records.WINDOW),
            'environment_steps_per_second': rates[0],
            'train_steps_per_second': rates[1],
            'loss': float(loss),
        },
        recorder.returns.take(),
    )
    left = max(0, _STEPS.value - now[0]) / max(rates[0], 1e-9)
    show.line(
        progress.Status(
            now[0], _STEPS.value, recorder.episodes, mean, *rates, left
        )
    )

  def save() -> None:
    log()
    counts.steps.assign(recorder.steps)
    counts.episodes.assign(recorder.episodes)
    counts.seconds.assign(time.monotonic() - start)
    manager.save()

  why = ''
  while not why:
    time_step, state = collect(
        time_step, state, maximum_iterations=_ROUND.value
    )
    experience = buffer.gather_all()
    buffer.clear()
    loss = train(experience).loss
    if time.monotonic() - logged >= _LOG_SECONDS:
      log()
    if time.monotonic() - saved >= _SAVE_SECONDS:
      save()
      saved = time.monotonic()
    mean = recorder.returns.mean(records.WINDOW)
    if recorder.steps >= _STEPS.value:
      why = 'it has taken its environment steps'
    elif (
        _STOP.value is not None
        and len(recorder.returns.recent) == records.WINDOW
        and mean >= _STOP.value
    ):
      why = 'it has reached its mean return'
    elif stopped:
      why = 'it was asked to stop'
  save()
  show.close()
  writer.close()
  environment.close()
  print(f'stopped because {why}: {recorder.steps:,} environment steps')
  if not stopped:
    outcome.write(
        workdir,
        outcome.Outcome(
            stopped=why,
            environment_steps=recorder.steps,
            train_steps=int(agent.train_step_counter),
            episodes=recorder.episodes,
            minutes=(time.monotonic() - start) / 60,
            parameters=sum(
                v.shape.num_elements()
                for net in (agent.actor_net, agent._value_net)
                for v in net.trainable_variables
            ),
        ),
    )


# The flags that say what the run is.
_NAMES = (
    'task seed memory units environments round epochs learning_rate entropy'
    ' discount lambda_value stop_at_return steps'
).split()
# Those of them that only end it.
_ENDS = ('stop_at_return', 'steps')


if __name__ == '__main__':
  app.run(main)
