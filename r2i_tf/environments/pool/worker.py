"""One environment of a pool, in its own process: the process's side.

It is started by `process.EnvironmentProcess`, receives the task, answers with
the specs, and from then on answers each request with a step. Whatever goes
wrong is its last answer. TensorFlow is not imported here: forty environments
would hold it forty times.
"""

import contextlib
import enum
from multiprocessing import connection
import pickle
import traceback
from typing import Any, NamedTuple, Optional

import cloudpickle
import dm_env
import numpy as np
import tree

from r2i_tf import quiet
from r2i_tf.environments.suites import registry as suites


class Request(enum.Enum):
  """A request of the pool to an environment."""

  RESET = enum.auto()
  STEP = enum.auto()
  RENDER = enum.auto()


class Specs(NamedTuple):
  """The first answer: the specs of the environment, as `dm_env` has them."""

  observation: Any
  action: Any


class Step(NamedTuple):
  """A time step, as plain as it can be sent.

  Attributes:
    step_type: 0, 1 or 2.
    reward: 0 at the first step of an episode.
    discount: 1 at the first step of an episode.
    leaves: The arrays of the observation; float64 has become float32.
  """

  step_type: int
  reward: float
  discount: float
  leaves: list[np.ndarray]


class Fault(NamedTuple):
  """The end of an environment that raised or whose process died.

  Attributes:
    reason: One line.
    traceback: Of this process; empty if it could leave none.
    error: The exception, pickled, where it can be.
  """

  reason: str
  traceback: str = ''
  error: Optional[bytes] = None


def main(descriptor: int) -> None:
  """Serves one environment until the pool closes the connection.

  Args:
    descriptor: Of the connection to the pool.
  """
  quiet.program()  # A warning of one environment would come from each.
  pool = _Pool(connection.Connection(descriptor))
  # What an environment raises as it is closed is of no use to anybody.
  with contextlib.suppress(_PoolGoneError, EOFError, OSError):
    _serve(pool)


class _PoolGoneError(Exception):
  """The pool is closed, or its process is gone."""


class _Pool:
  """The connection to the pool, whose errors are told from environments'."""

  def __init__(self, to_pool: connection.Connection):
    self._connection = to_pool

  def receive(self) -> Any:
    """Waits for what the pool sends."""
    try:
      message = self._connection.recv_bytes()
    except (EOFError, OSError) as error:
      raise _PoolGoneError from error
    return pickle.loads(message)

  def send(self, answer: Any) -> None:
    """Answers."""
    message = pickle.dumps(answer)
    try:
      self._connection.send_bytes(message)
    except OSError as error:
      raise _PoolGoneError from error


def _serve(pool: _Pool) -> None:
  environment = None
  try:
    environment = suites.make(*pool.receive())
    pool.send(Specs(environment.observation_spec(), environment.action_spec()))
    while True:
      request, action = pool.receive()
      if request is Request.RENDER:
        pool.send(np.asarray(environment.render()))
      elif request is Request.RESET:
        pool.send(_plain(environment.reset()))
      else:
        pool.send(_plain(environment.step(action)))
  except _PoolGoneError:
    raise
  except Exception as error:
    pool.send(
        Fault(
            f'{type(error).__name__}: {error}',
            traceback.format_exc(),
            _pickled(error),
        )
    )
  finally:
    if environment is not None:
      environment.close()


def _plain(time_step: dm_env.TimeStep) -> Step:
  leaves = []
  for leaf in tree.flatten(time_step.observation):
    array = np.asarray(leaf)
    leaves.append(
        array.astype(np.float32) if array.dtype == np.float64 else array
    )
  first = time_step.first()
  return Step(
      int(time_step.step_type),
      0.0 if first else float(time_step.reward),
      1.0 if first else float(time_step.discount),
      leaves,
  )


def _pickled(error: Exception) -> Optional[bytes]:
  try:
    pickled = cloudpickle.dumps(error)
    cloudpickle.loads(pickled)  # Not every exception survives this.
  except Exception:
    return None
  return pickled
