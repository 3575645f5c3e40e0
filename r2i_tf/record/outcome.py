"""The outcome of a run that has ended, in a file of its directory.

It says that a run is over: one that was stopped has none. A run that goes on
later, for more steps, leaves the old one behind until it ends; `is_of` tells
whether it belongs to the end of the record.
"""

import dataclasses
import json
import pathlib
from typing import Optional

from r2i_tf import files
from r2i_tf.record import records

FILE = 'outcome.json'


@dataclasses.dataclass(frozen=True)
class Outcome:
  """What is known of a run at its end.

  Attributes:
    stopped: Why it ended, in words.
    environment_steps: Transitions over all starts.
    train_steps: Train steps over all starts.
    episodes: Episodes finished.
    minutes: Wall time over all starts.
    parameters: Trained numbers of the agent.
  """

  stopped: str
  environment_steps: int
  train_steps: int
  episodes: int
  minutes: float
  parameters: int

  def is_of(self, workdir: pathlib.Path) -> bool:
    """Returns whether the record of the run ends where this does.

    Args:
      workdir: The run's.
    """
    last = records.read_last(workdir / records.FILE)
    return last is not None and (
        last[records.STEP],
        last.get(records.TRAIN_STEP),
    ) == (self.environment_steps, self.train_steps)


def write(workdir: pathlib.Path, outcome: Outcome) -> None:
  """Writes the outcome of the run in `workdir`, atomically."""
  files.write_json(workdir / FILE, dataclasses.asdict(outcome))


def read(workdir: pathlib.Path) -> Optional[Outcome]:
  """Returns the outcome of a run, None while it is not over.

  Args:
    workdir: The run's.
  """
  try:
    found = json.loads((workdir / FILE).read_text(encoding='utf-8'))
    outcome = Outcome(**found)
  except (OSError, ValueError, TypeError):
    return None
  return outcome if outcome.is_of(workdir) else None
