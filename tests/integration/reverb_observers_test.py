"""What TF-Agents' own observers put into Reverb, the agent learns from."""

import numpy as np
import pytest
import tensorflow as tf

reverb = pytest.importorskip('reverb')

from tf_agents.drivers import py_driver  # noqa: E402
from tf_agents.policies import py_tf_eager_policy  # noqa: E402
from tf_agents.replay_buffers import reverb_replay_buffer  # noqa: E402
from tf_agents.replay_buffers import reverb_utils  # noqa: E402
from tf_agents.specs import tensor_spec  # noqa: E402

from r2i_tf import R2IAgent  # noqa: E402
from r2i_tf import environments  # noqa: E402
from r2i_tf.agents import experience as experience_lib  # noqa: E402
from tests.agents import small  # noqa: E402

_TASK = 'bsuite/memory_len/3'  # Episodes of 5 transitions.
_EPISODE = 6  # And the step that has the last observation.
_TABLE = 'experience'


@pytest.fixture(name='parts', scope='module')
def _parts():
  environment = environments.load(_TASK, 1)
  tf.keras.utils.set_random_seed(1)
  agent = R2IAgent(
      tensor_spec.from_spec(environment.time_step_spec()),
      tensor_spec.from_spec(environment.action_spec()),
      small.config(),
      train_step_counter=tf.Variable(0, dtype=tf.int64, trainable=False),
  )
  return environment, agent


def _batch(parts, make_observer, length, steps=120):
  """Drives an observer; returns a batch [4, length], as the server has it."""
  environment, agent = parts
  table = reverb.Table(
      _TABLE,
      reverb.selectors.Uniform(),
      reverb.selectors.Fifo(),
      1000,
      reverb.rate_limiters.MinSize(1),
      signature=tensor_spec.add_outer_dim(agent.collect_data_spec, None),
  )
  server = reverb.Server([table])
  client = reverb.Client(f'localhost:{server.port}')
  observer = make_observer(client)
  driver = py_driver.PyDriver(
      environment,
      py_tf_eager_policy.PyTFEagerPolicy(
          agent.collect_policy, use_tf_function=True
      ),
      [observer],
      max_steps=steps,
  )
  driver.run(environment.reset(), agent.collect_policy.get_initial_state(1))
  observer.flush()
  replay = reverb_replay_buffer.ReverbReplayBuffer(
      agent.collect_data_spec,
      _TABLE,
      sequence_length=length,
      local_server=server,
  )
  batch, _ = next(iter(replay.as_dataset(4, length)))
  return server, batch


def _check(parts, batch, share):
  """`share` of the steps count; the agent trains on them."""
  _, agent = parts
  experience = experience_lib.from_trajectory(
      batch, agent.behavior.actions.encode
  )
  valid = np.mean(experience.is_valid)
  assert share[0] <= valid <= share[1], valid
  # The agent's own train step compiles; its loss is the same function.
  loss = agent.loss(batch).loss
  assert np.isfinite(loss)


def test_padded_trajectories(parts):
  """Each holds the rest of an episode, and padding that counts nowhere."""
  server, batch = _batch(
      parts,
      lambda client: reverb_utils.ReverbAddTrajectoryObserver(
          client, _TABLE, 12, pad_end_of_episodes=True
      ),
      12,
  )
  _check(parts, batch, (0.05, 0.55))
  server.stop()


def test_trajectories_without_padding(parts):
  """Each lies within an episode."""
  server, batch = _batch(
      parts,
      lambda client: reverb_utils.ReverbAddTrajectoryObserver(
          client, _TABLE, 4
      ),
      4,
  )
  _check(parts, batch, (0.9, 1.0))
  server.stop()


def test_episodes(parts):
  """Each is a whole one, its last observation included."""
  server, batch = _batch(
      parts,
      lambda client: reverb_utils.ReverbAddEpisodeObserver(
          client, _TABLE, max_sequence_length=20
      ),
      _EPISODE,
  )
  kinds = batch.step_type.numpy()
  assert np.all(kinds[:, 0] == 0) and np.all(kinds[:, -1] == 2)
  _check(parts, batch, (1.0, 1.0))
  server.stop()


def test_sequences_across_the_ends_of_episodes(parts):
  """Each step of them counts."""
  server, batch = _batch(
      parts,
      lambda client: reverb_utils.ReverbTrajectorySequenceObserver(
          client, _TABLE, sequence_length=16, stride_length=4
      ),
      16,
  )
  assert np.any(batch.step_type.numpy()[:, 1:-1] == 2)
  _check(parts, batch, (0.9, 1.0))
  server.stop()
