"""A replay server in the process of a test, and steps that know their place."""

import contextlib

import numpy as np
import tensorflow as tf
from tf_agents.trajectories import trajectory

from r2i_tf.replay.reverb import identity
from r2i_tf.replay.reverb import server as server_lib
from r2i_tf.replay.reverb import tables
from r2i_tf.roles import ports

# A step knows its stream and its number in the 'policy info', of all places,
# since nothing else looks at it there.
SPEC = trajectory.Trajectory(
    step_type=tf.TensorSpec([], tf.int32),
    observation={'place': tf.TensorSpec([2], tf.int64)},
    action=tf.TensorSpec([], tf.int32),
    policy_info=(),
    next_step_type=tf.TensorSpec([], tf.int32),
    reward=tf.TensorSpec([], tf.float32),
    discount=tf.TensorSpec([], tf.float32),
)


def settings(**changes):
  """Returns settings of sequences of 8 steps with a stride of 4."""
  fields = {
      'sequence_length': 8,
      'stride': 4,
      'capacity': 100,
      'min_size': 1,
      'samples_per_insert': 2.0,
      'error_buffer': 1000.0,
  }
  return tables.Settings(**{**fields, **changes})


def identity_of(task='task', spec=SPEC, config=None):
  """Returns an identity that fits `settings`."""
  return identity.Identity(task, identity.describe(spec), 8, 4, config or {})


@contextlib.contextmanager
def serve(directory, settings_=None, identity_=None, spec=SPEC, port=0):
  """Yields the address of a server, and the server."""
  port = ports.free_port(port)
  server = server_lib.ReplayServer(
      identity_ or identity_of(),
      settings_ or settings(),
      spec,
      port,
      directory,
  )
  with contextlib.closing(server):
    yield f'localhost:{port}', server


def steps(number, streams, episode=5):
  """Returns step `number` of every stream, in episodes of `episode` steps."""
  kind = [0, *[1] * (episode - 2), 2]

  def full(value, dtype):
    return np.full([streams], value, dtype)

  place = np.stack([np.arange(streams), full(number, np.int64)], 1)
  return trajectory.Trajectory(
      step_type=full(kind[number % episode], np.int32),
      observation={'place': place},
      action=full(0, np.int32),
      policy_info=(),
      next_step_type=full(kind[(number + 1) % episode], np.int32),
      reward=full(number, np.float32),
      discount=full(1, np.float32),
  )
