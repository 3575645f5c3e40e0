"""Scores of policies as a learner exports them, one after the other.

The learner replaces the directory of a policy as a whole. Whoever has begun to
read it may find a part of it gone, and then begins again.
"""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
import json
import pathlib
import time
from typing import Optional

from r2i_tf import errors
from r2i_tf import locks
from r2i_tf import run_config
from r2i_tf.training import evaluation
from r2i_tf.training import export
from r2i_tf.training import interruption
from r2i_tf.training import turns

_PAUSE = 0.5
_TRIES = 3


def follow(
    policy_directory: pathlib.Path,
    episodes: int,
    seeds: Sequence[int] = (0,),
    task: Optional[str] = None,
    max_steps: int = run_config.EVALUATION_STEPS,
    parallel: int = 1,
    pictures: int = 0,
    note: Callable[[str], None] = lambda _: None,
) -> Iterator[tuple[int, evaluation.Evaluation]]:
  """Yields train steps and score of each policy, until Ctrl-C or SIGTERM.

  One that is replaced before its turn comes is left out.

  Args:
    policy_directory: Where `export.export` writes it; it need not be there yet.
    episodes: As for `evaluation.evaluate`.
    seeds: As there.
    task: As there.
    max_steps: As there.
    parallel: As there.
    pictures: As there.
    note: As there.

  Raises:
    errors.RunError: A policy that is there cannot act in the task, or another
      process follows the same.
  """
  with (
      interruption.Interruption() as interrupted,
      turns.follower(policy_directory),
  ):
    last, failures = None, 0
    while not interrupted.requested:
      found = _train_steps(policy_directory)
      if found is None or found == last:
        time.sleep(_PAUSE)
        continue
      try:
        result = evaluation.evaluate(
            policy_directory,
            episodes,
            seeds=seeds,
            task=task,
            max_steps=max_steps,
            parallel=parallel,
            pictures=pictures,
            stop=lambda: interrupted.requested,
            note=note,
        )
      except locks.LockedError:
        time.sleep(_PAUSE)  # By the run itself, at its end, or by hand.
        continue
      except (errors.RunError, OSError):
        failures += 1
        if failures == _TRIES:
          raise
        time.sleep(_PAUSE)
        continue
      last, failures = found, 0
      if result is not None:
        yield found, result


def _train_steps(policy_directory: pathlib.Path) -> Optional[int]:
  """Returns after which train step a policy is; None if it is not there."""
  try:
    text = (policy_directory / export.TASK_FILE).read_text(encoding='utf-8')
    return int(json.loads(text)['train_steps'])
  except (OSError, ValueError, KeyError):
    return None
