"""A look at what an agent predicts, as pictures and numbers in files.

  trajectories -> the agent, shown their beginnings -> pictures, open_loop.json

Of each sequence the longest stretch within one episode is taken. The agent is
shown its first quarter and goes on alone, under the actions that were taken.
"""

from collections.abc import Sequence
import pathlib
from typing import Any, NamedTuple, Optional

import numpy as np
import tensorflow as tf
from tf_agents.trajectories import trajectory as trajectory_lib

from r2i_tf import files
from r2i_tf.agents import experience as experience_lib
from r2i_tf.agents import foresight
from r2i_tf.agents import r2i_agent
from r2i_tf.pictures import open_loop

FILE = 'open_loop.json'
_SEQUENCES = 3  # In pictures, at most.
_STEPS = 128  # The same.


def look_at(
    agent: r2i_agent.R2IAgent,
    batches: Sequence[trajectory_lib.Trajectory],
    directory: pathlib.Path,
    environment_steps: int,
    train_steps: int,
    held_out: bool,
) -> dict[str, Any]:
  """Writes pictures and numbers of what an agent predicts.

  Pictures are written first, each under the same name as that of the look
  before, and then `open_loop.json`, which names them.

  Args:
    agent: The agent.
    batches: Trajectories [B, T], at least one batch, all alike. Errors are over
      all, pictures of some of the first.
    directory: Where the files go; it is made.
    environment_steps: Of the agent's run.
    train_steps: The same.
    held_out: Whether the agent was not trained on these trajectories.

  Returns:
    What `open_loop.json` holds.

  Raises:
    OSError: A file cannot be written.
  """
  came = experience_lib.from_trajectory(
      batches[0], agent.behavior.actions.encode
  )
  stretches = _stretches(came, _different(batches[0]))
  foreseen = agent.foresee(
      batches[0], stretches.first, stretches.shown, stretches.steps
  )
  directory.mkdir(parents=True, exist_ok=True)
  look = {
      'environment_steps': environment_steps,
      'train_steps': train_steps,
      'held_out': held_out,
      'shown': stretches.shown,
      'sequences': sum(int(batch.step_type.shape[0]) for batch in batches),
      'pictures': _draw(agent, came, foreseen, stretches, directory),
      **_errors([agent.forecast(batch).errors for batch in batches]),
  }
  files.write_json(directory / FILE, look)
  return look


class _Stretches(NamedTuple):
  """Which steps of a batch are looked at.

  Attributes:
    first: The first step of each sequence's stretch, B of them.
    steps: Steps of each (W), at least 2.
    shown: So many of them are shown (k).
    chosen: The sequences that are drawn.
  """

  first: list[int]
  steps: int
  shown: int
  chosen: list[int]

  def of(self, leaf: Any) -> np.ndarray:
    """Returns the stretches of the chosen sequences, [n, W, ...].

    Args:
      leaf: [B, T, ...].
    """
    values = np.asarray(leaf)
    return np.stack(
        [
            values[b, self.first[b] : self.first[b] + self.steps]
            for b in self.chosen
        ]
    )


def _stretches(
    came: experience_lib.Experience, candidates: Sequence[int]
) -> _Stretches:
  """Returns the longest stretches within an episode, of much the same length.

  Args:
    came: [B, T].
    candidates: The sequences that may be drawn.
  """
  runs = [
      _longest_run(begins, counts)
      for begins, counts in zip(
          np.array(came.is_first), np.array(came.is_valid)
      )
  ]
  lengths = [len(run) for run in runs]
  longest = max(lengths[b] for b in candidates)
  chosen = [b for b in candidates if 2 * lengths[b] >= longest]
  chosen = sorted(chosen, key=lambda b: -lengths[b])[:_SEQUENCES]
  steps = max(2, min(_STEPS, *(lengths[b] for b in chosen)))
  last = came.is_first.shape[1] - steps
  # The end of one that is longer by far: the agent has seen what was before.
  first = [
      min(last, run.stop - steps if len(run) > _STEPS else run.start)
      for run in runs
  ]
  return _Stretches(first, steps, -(-steps // 4), chosen)


def _longest_run(begins: np.ndarray, counts: np.ndarray) -> range:
  """Returns the longest run of steps that count, without a first step within.

  Args:
    begins: bool [T], first steps.
    counts: bool [T].
  """
  longest, start = range(0), 0
  for t in range(len(begins)):
    if begins[t] or not counts[t]:
      start = t
    if counts[t] and t + 1 - start > len(longest):
      longest = range(start, t + 1)
  return longest


def _different(batch: trajectory_lib.Trajectory) -> list[int]:
  """Returns the sequences of a batch, but for repetitions.

  Of few that are held out, some are drawn twice.
  """
  leaves = [np.asarray(leaf) for leaf in tf.nest.flatten(batch)]
  contents = [
      b''.join(leaf[b].tobytes() for leaf in leaves)
      for b in range(len(leaves[0]))
  ]
  return [
      b for b, content in enumerate(contents) if contents.index(content) == b
  ]


def _errors(batches: Sequence[Any]) -> dict[str, Any]:
  """Returns the errors of all batches at the horizons, null where none is."""
  horizons = [int(h) for h in batches[0].steps if h in foresight.HORIZONS]
  places = [batches[0].steps.numpy().tolist().index(h) for h in horizons]
  count = np.sum([errors.count for errors in batches], axis=0)

  def mean(name: str) -> list[Optional[float]]:
    sums = [getattr(errors, name) * errors.count for errors in batches]
    total = np.sum(sums, axis=0)
    return [float(total[i] / count[i]) if count[i] else None for i in places]

  return {
      'horizons': horizons,
      'errors': {name: mean(name) for name in ('model', 'last', 'mean')},
  }


def _draw(
    agent: r2i_agent.R2IAgent,
    came: experience_lib.Experience,
    foreseen: foresight.Foreseen,
    stretches: _Stretches,
    directory: pathlib.Path,
) -> list[dict[str, Optional[str]]]:
  """Writes the pictures, and returns what is said of them."""

  def expected(leaf: Any) -> np.ndarray:
    return np.asarray(leaf)[stretches.chosen]

  layout = agent.world_model.decoder.layout
  flat = tf.nest.flatten(came.observation)
  pictures: list[dict[str, Optional[str]]] = []

  def told(title: str, kind: str, png: str, gif: Optional[str] = None) -> None:
    pictures.append({'title': title, 'kind': kind, 'png': png, 'gif': gif})

  images = [leaf for group in layout.images for leaf in group.leaves]
  for number, leaf in enumerate(images):
    name = f'open_loop_image_{number}'
    open_loop.draw_images(
        stretches.of(flat[leaf.index]),
        expected(foreseen.observation[leaf.key]),
        stretches.shown,
        directory / f'{name}.png',
        directory / f'{name}.gif',
    )
    told(leaf.key, 'image', f'{name}.png', f'{name}.gif')
  # There may be vectors without numbers.
  if layout.vectors is not None and any(x.size for x in layout.vectors.leaves):
    names, truth, prediction = [], [], []
    for leaf in layout.vectors.leaves:
      names += [
          f'{leaf.key}[{i}]' if leaf.size > 1 else leaf.key
          for i in range(leaf.size)
      ]
      shape = [len(stretches.chosen), stretches.steps, leaf.size]
      truth.append(
          stretches.of(flat[leaf.index]).reshape(shape).astype(np.float64)
      )
      prediction.append(expected(foreseen.observation[leaf.key]).reshape(shape))
    open_loop.draw_vectors(
        names,
        np.concatenate(truth, -1),
        np.concatenate(prediction, -1),
        stretches.shown,
        directory / 'open_loop_vectors.png',
    )
    told('vectors', 'vector', 'open_loop_vectors.png')
  known = stretches.of(came.outcome_known)

  def outcome(truth: Any, prediction: Any) -> tuple[np.ndarray, np.ndarray]:
    """Returns both where there is a truth: nothing teaches it elsewhere."""
    both = stretches.of(truth), expected(prediction)
    return np.where(known, both[0], np.nan), np.where(known, both[1], np.nan)

  goes_on = 1.0 - np.asarray(came.terminal, np.float32)
  open_loop.draw_outlook(
      {
          'reward': outcome(came.reward, foreseen.reward),
          'continuation': outcome(goes_on, foreseen.continuation),
          'value': (None, expected(foreseen.value)),
      },
      stretches.shown,
      directory / 'open_loop_outlook.png',
  )
  told('reward, continuation and value', 'outlook', 'open_loop_outlook.png')
  return pictures
