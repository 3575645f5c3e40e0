"""The hosts of a run: one by default, or those of a multi-worker strategy.

With several, each runs this program on environments and a replay of its own,
its share of the run's. They have to go through the same train steps, so they
agree on whatever decides over these: counts are added up, the clock is that of
the first host, the chief.
"""

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import contextlib
from typing import Any, Optional

import numpy as np
import tensorflow as tf

from r2i_tf import errors
from r2i_tf.record import records
from r2i_tf.training import episodes

# What a collective operation raises that another host does not take part in.
_LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.InternalError,
    tf.errors.DeadlineExceededError,
)


class Hosts:
  """How many hosts there are, and what they tell each other.

  Attributes:
    count: How many.
    index: Which of them this is; 0 is the chief.
  """

  def __init__(self, strategy: tf.distribute.Strategy):
    """Finds out.

    Args:
      strategy: That of the learner.
    """
    self._strategy = strategy
    self.count, self.index = 1, 0
    if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
      resolver = strategy.cluster_resolver
      cluster = resolver.cluster_spec().as_dict()
      self.count, self.index = len(cluster['worker']), resolver.task_id
    self._replicas = strategy.num_replicas_in_sync // self.count
    self._add = tf.function(self._add_in_graph)

  @property
  def is_chief(self) -> bool:
    """Whether this is the host that writes for all."""
    return self.index == 0

  def share(self, name: str, total: int) -> int:
    """Returns this host's share of a number.

    Args:
      name: The field that has it.
      total: The number.

    Raises:
      errors.RunError: It is not a multiple of the number of hosts.
    """
    if total % self.count:
      raise errors.RunError(
          f'{name} is {total}, which the {self.count} hosts of the strategy do'
          f' not divide; set it to a multiple of {self.count}.'
      )
    return total // self.count

  def add(self, numbers: Sequence[float]) -> list[float]:
    """Returns the sums over all hosts; waits for them.

    Args:
      numbers: This host's, as many on each.
    """
    if self.count == 1:
      return list(numbers)
    return self._add(tf.constant(numbers, tf.float64)).numpy().tolist()

  def of_chief(self, number: int) -> int:
    """Returns a number as the chief has it; waits for all hosts.

    Args:
      number: This host's.
    """
    [found] = self.add([number if self.is_chief else 0])
    return round(found)

  def take_from_chief(self, trackables: Mapping[str, Any]) -> None:
    """Gives all variables the values that they have on the chief.

    Args:
      trackables: The objects of a checkpoint, by name.
    """
    if self.count == 1:
      return
    root = tf.train.Checkpoint(**trackables)
    variables = [
        value
        for value in tf.train.TrackableView(root).descendants()
        if isinstance(value, tf.Variable)
    ]

    @tf.function
    def copy() -> None:
      self._strategy.run(_copy_from_first, args=(variables,))

    copy()

  @contextlib.contextmanager
  def watched(self) -> Iterator[None]:
    """Returns a context in which the loss of another host is one sentence.

    Raises:
      errors.RunError: Another host is gone.
    """
    try:
      yield
    except _LOST as error:
      if self.count == 1:
        raise
      raise errors.RunError(
          f'another of the {self.count} hosts is gone, and none can go on'
          ' without it; start all of them again with the same flags, and they'
          ' go on from the last checkpoint.'
      ) from error

  def _add_in_graph(self, numbers: tf.Tensor) -> tf.Tensor:
    shares = self._strategy.run(lambda x: x / self._replicas, args=(numbers,))
    return self._strategy.reduce(tf.distribute.ReduceOp.SUM, shares, axis=None)


class Agreement:
  """What all hosts know of the run, since they last agreed.

  Attributes:
    environment_steps: Transitions of all hosts.
    episodes: Episodes that have finished on all hosts.
    restarts: Crashes of environments that all hosts have survived.
    interrupted: Whether one of them was asked to stop.
    is_ready: Whether each of them has collected its share of the prefill, and
      can draw from its replay.
    seconds: Wall time of the run, on the chief.
    save_is_due: Whether the chief wants a checkpoint.
  """

  def __init__(
      self, hosts: Hosts, recorder: episodes.EpisodeRecorder, ready_at: int
  ):
    """Knows nothing yet.

    Args:
      hosts: Those that agree.
      recorder: Counts on this host.
      ready_at: From how many environment steps of this host on it can train.
    """
    self._hosts = hosts
    self._recorder = recorder
    self._ready_at = ready_at
    self._means: dict[int, Optional[float]] = {}
    self.environment_steps = 0
    self.episodes = 0
    self.restarts = 0
    self.interrupted = False
    self.is_ready = False
    self.seconds = 0.0
    self.save_is_due = False

  def renew(
      self,
      interrupted: bool,
      seconds: float,
      save_is_due: bool,
      has_sequence: bool,
  ) -> None:
    """Agrees again, on the numbers of now; waits for all hosts.

    Args:
      interrupted: Whether this host was asked to stop.
      seconds: Wall time of the run here.
      save_is_due: Whether a checkpoint is due here.
      has_sequence: Whether the replay has one here; one that has lost files may
        have less than the prefill.
    """
    recorder, chief = self._recorder, self._hosts.is_chief
    is_ready = recorder.environment_steps >= self._ready_at and has_sequence
    windows = (records.SHOWN, records.WINDOW)
    sums = [recorder.sum_of_returns(window) for window in windows]
    found = self._hosts.add(
        [
            recorder.environment_steps,
            recorder.episodes,
            recorder.restarts,
            interrupted,
            not is_ready,
            seconds if chief else 0.0,
            save_is_due if chief else 0.0,
            *np.reshape(sums, -1),
        ]
    )
    self.environment_steps = round(found[0])
    self.episodes = round(found[1])
    self.restarts = round(found[2])
    self.interrupted = found[3] > 0
    self.is_ready = not found[4]
    self.seconds = found[5]
    self.save_is_due = found[6] > 0
    for window, total, count in zip(windows, found[7::2], found[8::2]):
      self._means[window] = total / count if count else None

  def take_finished(self) -> list[records.Episode]:
    """Returns the episodes that finished here since the last call."""
    return self._recorder.take_finished()

  def mean_return(self, window: int) -> Optional[float]:
    """Returns the mean return of each host's last episodes, None without any.

    Args:
      window: How many episodes of each host; `records.SHOWN` or
        `records.WINDOW`.
    """
    return self._means[window]


def _copy_from_first(variables: Sequence[tf.Variable]) -> None:
  """Gives the variables of this replica the values of the first one's."""
  context = tf.distribute.get_replica_context()
  is_first = tf.equal(context.replica_id_in_sync_group, 0)
  for dtype in sorted({v.dtype.name for v in variables}):
    alike = [variable for variable in variables if variable.dtype.name == dtype]
    values = [tf.where(is_first, v, tf.zeros_like(v)) for v in alike]
    values = context.all_reduce(tf.distribute.ReduceOp.SUM, values)
    for variable, value in zip(alike, values):
      variable.assign(value)
