"""Looks at the agent of a run while it goes, when it is time for one.

The pictures are files in the directory of the run, of the newest look only, and
all of them in TensorBoard. No failure to make them ends the run.
"""

from collections.abc import Callable
import pathlib
import time
from typing import Optional

from tf_agents.agents import tf_agent

from r2i_tf import errors
from r2i_tf import locks
from r2i_tf.record import metrics
from r2i_tf.training import looks
from r2i_tf.training import sequences

_BATCHES = 2  # That the errors of a look are over.


class Reporting:
  """Looks at a run when it is time."""

  def __init__(
      self,
      agent: tf_agent.TFAgent,
      draw: Optional[sequences.Draw],
      directory: pathlib.Path,
      writer: metrics.MetricsWriter,
      prepare: Callable[[], None],
      note: Callable[[str], None],
      seconds: Optional[float],
      train_steps: int,
  ):
    """Starts the clock.

    Args:
      agent: Of the run.
      draw: Returns sequences, or None where there are none now. None, if the
        agent has no world model here: then no look is taken.
      directory: Where the files go.
      writer: Of TensorBoard.
      prepare: Sees to the directory of the run; `Workdir.keep`.
      note: Shows a line.
      seconds: From one look to the next; None for no looks.
      train_steps: Of the run until now.
    """
    self._agent, self._directory = agent, directory
    self._writer, self._prepare, self._note = writer, prepare, note
    self._draw = draw if seconds is not None else None
    self._seconds = seconds or 0.0
    self._train_steps = train_steps
    self._taken = time.monotonic()
    self._failure = ''

  def look_if_due(self, environment_steps: int, train_steps: int) -> None:
    """Takes a look, if it is time.

    Args:
      environment_steps: Of the run until now.
      train_steps: The same.

    Raises:
      locks.LockedError: Another run has the directory, which was deleted.
    """
    if time.monotonic() - self._taken >= self._seconds:
      self.look(environment_steps, train_steps)

  def look(self, environment_steps: int, train_steps: int) -> None:
    """Takes a look, unless the agent has learned nothing since the last.

    Args:
      environment_steps: Of the run until now.
      train_steps: The same.

    Raises:
      locks.LockedError: Another run has the directory, which was deleted.
    """
    if self._draw is None or train_steps == self._train_steps:
      return
    try:
      self._look(self._draw, environment_steps, train_steps)
      self._failure = ''
    except locks.LockedError:
      raise
    except Exception as error:  # A run is worth more than its pictures.
      failure = f'{type(error).__name__}: {errors.first_line(error)}'
      if failure != self._failure:
        self._note(f'the run goes on, but a look at it failed ({failure})')
      self._failure = failure
    self._taken = time.monotonic()

  def _look(
      self, draw: sequences.Draw, environment_steps: int, train_steps: int
  ) -> None:
    # As many as there are now: a server has perhaps one batch to spare.
    drawn = [sample for sample in (draw() for _ in range(_BATCHES)) if sample]
    if not drawn:
      return
    self._prepare()
    look = looks.look_at(
        self._agent,
        [sample.trajectory for sample in drawn],
        self._directory,
        environment_steps,
        train_steps,
        all(sample.held_out for sample in drawn),
    )
    self._writer.show(
        environment_steps,
        {
            f'look/{picture["title"]}': (
                self._directory / picture['png']
            ).read_bytes()
            for picture in look['pictures']
        },
    )
    self._train_steps = train_steps
