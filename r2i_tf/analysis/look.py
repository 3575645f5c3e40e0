"""A look into a run: what is made, and the files that it becomes.

<workdir>/look/
  probes.json, probes.png            how long states hold what was seen
  timescales.json, timescales.png    half-lives of the memory's channels
  sensitivity.json, sensitivity.png  what reward predictions hang on
  rewards.json                       whether rewards are known by heart
  open_loop.json, open_loop...       what the model foresees (`training.looks`)

A JSON file names its picture by `picture`, and is written after it, each at
once or not at all. A picture that there is nothing to draw on is not made.
"""

from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Mapping
from collections.abc import Sequence
import enum
import pathlib
import time
from typing import Any

import numpy as np
import tensorflow as tf

from r2i_tf.analysis import episodes as episodes_lib
from r2i_tf.analysis import opened
from r2i_tf.analysis import probes
from r2i_tf.analysis import rewards
from r2i_tf.analysis import sensitivity
from r2i_tf.analysis import states
from r2i_tf.analysis import targets as targets_lib
from r2i_tf.analysis import timescales
from r2i_tf.analysis import writing
from r2i_tf.pictures import probes as probe_pictures
from r2i_tf.pictures import timescales as timescale_pictures
from r2i_tf.training import looks
from r2i_tf.training import parts as parts_lib
from r2i_tf.training import sequences

_BATCHES = 4  # Of sequences that open-loop errors are taken over.
_NEW = 64  # Episodes that are acted for their rewards alone.


class Part(enum.Enum):
  """What can be made."""

  TIMESCALES = 'timescales'
  SENSITIVITY = 'sensitivity'
  REWARDS = 'rewards'
  OPEN_LOOP = 'open_loop'
  PROBES = 'probes'


class Source(enum.Enum):
  """Where the episodes come from that are looked at."""

  REPLAY = 'replay'  # Those that the world model has learned from.
  NEW = 'new'  # By the policy of the checkpoint that collects.


def look(
    workdir: str,
    make: Collection[Part] = tuple(Part),
    source: Source = Source.REPLAY,
    episodes: int = 400,
    seed: int = 0,
    note: Callable[[str], None] = print,
    parts: parts_lib.RunParts = parts_lib.R2I_PARTS,
    max_steps: int = episodes_lib.LONGEST,
) -> pathlib.Path:
  """Looks into a run and writes what is found.

  Args:
    workdir: The run's directory. The run may go on meanwhile.
    make: What to make.
    source: Where the episodes come from.
    episodes: How many of them at most.
    seed: Of what is drawn.
    note: Takes a line for each thing that is done.
    parts: Those that the run was started with.
    max_steps: Steps after which a new episode is cut.

  Returns:
    The directory of the files.

  Raises:
    errors.RunError: There is nothing to look into, or nothing can be written.
      What has been made until then is there.
  """
  if (
      source == Source.NEW
      and Part.PROBES in make
      and episodes < probes.fewest()
  ):
    note(f'no probes: {_too_few(episodes)}')
  clock = _Clock(note)
  run = opened.open_run(workdir, parts, note)
  clock.tell(
      f'{run.paths.path} at step {run.environment_steps:,}, of task'
      f' {run.config.task}'
  )
  writer = writing.Writer(run)
  if Part.TIMESCALES in make:
    _timescales(run, writer)
    clock.tell(Part.TIMESCALES.value)
  if set(make) <= {Part.TIMESCALES}:
    return writer.directory
  if source == Source.NEW:
    found = episodes_lib.new(run, episodes, seed, max_steps, note)
  else:
    found = episodes_lib.of_replay(run, episodes, seed)
  clock.tell(
      f'{len(found.lengths):,} episodes'
      f' {"acted" if found.is_new else "of the replay"}, of'
      f' {found.lengths.min()} to {found.lengths.max()} steps'
  )
  if Part.SENSITIVITY in make:
    _sensitivity(run, found, seed, writer)
    clock.tell(Part.SENSITIVITY.value)
  if Part.REWARDS in make:
    _rewards(run, found, seed, writer)
    clock.tell(Part.REWARDS.value)
  if Part.OPEN_LOOP in make:
    _open_loop(run, found, seed, writer)
    clock.tell(Part.OPEN_LOOP.value)
  if Part.PROBES in make:
    _probes(run, found, seed, writer, clock)
  return writer.directory


class _Clock:
  """Tells what has been done, and how many seconds it took."""

  def __init__(self, note: Callable[[str], None]):
    self.note = note
    self._begin = time.monotonic()

  def tell(self, done: str) -> None:
    """Tells it of all that has been done since the last call."""
    now = time.monotonic()
    self.note(f'{done} ({now - self._begin:.1f} s)')
    self._begin = now


def _timescales(run: opened.OpenedRun, writer: writing.Writer) -> None:
  pairs = [
      (timescales.half_lives(start), timescales.half_lives(now.numpy()))
      for start, now in zip(run.moduli_at_start, run.agent.world_model.moduli())
  ]
  writer.write(
      Part.TIMESCALES.value,
      {'layers': [{'at_start': start, 'now': now} for start, now in pairs]},
      (lambda path: timescale_pictures.draw_half_lives(pairs, path))
      if pairs
      else None,
  )


def _sensitivity(
    run: opened.OpenedRun,
    episodes: episodes_lib.Episodes,
    seed: int,
    writer: writing.Writer,
) -> None:
  found = sensitivity.of_rewards(run.agent, episodes, seed)
  if found is None:
    nothing = {'episodes': 0, 'lags': [], 'gradient': [], 'action_gradient': []}
    writer.write(Part.SENSITIVITY.value, nothing, None)
    return
  lags, embedding, action = (
      x.tolist() for x in (found.lags, found.embedding, found.action)
  )
  writer.write(
      Part.SENSITIVITY.value,
      {
          'episodes': found.episodes,
          'lags': lags,
          'gradient': embedding,
          'action_gradient': action,
      },
      # A head that has learned nothing depends on nothing.
      (
          lambda path: timescale_pictures.draw_sensitivity(
              lags, embedding, action, path
          )
      )
      if any(x > 0 for x in (*embedding, *action))
      else None,
  )


def _rewards(
    run: opened.OpenedRun,
    episodes: episodes_lib.Episodes,
    seed: int,
    writer: writing.Writer,
) -> None:
  """Compares episodes of the replay with their ends alone, and new ones."""
  if episodes.is_new:
    sets = {'new': episodes}
  else:
    sets = {
        'of the replay': episodes,
        'of the replay, their ends': rewards.second_halves(episodes),
    }
    if episodes_lib.are_cheap(run):
      count = min(_NEW, len(episodes.lengths))
      sets['new'] = episodes_lib.new(run, count, seed)
  writer.write(
      Part.REWARDS.value,
      {
          'sets': [
              {
                  'name': name,
                  'episodes': len(those.lengths),
                  **rewards.of_episodes(run.agent, those, seed)._asdict(),
              }
              for name, those in sets.items()
              if len(those.lengths)
          ]
      },
      None,
  )


def _open_loop(
    run: opened.OpenedRun,
    episodes: episodes_lib.Episodes,
    seed: int,
    writer: writing.Writer,
) -> None:
  """Has the run's own look made: of sequences as it draws them, or new ones."""
  if episodes.is_new or run.replay is None:
    few = episodes.some(np.arange(len(episodes.lengths)) < sequences.BATCH)
    steps = tf.nest.map_structure(tf.constant, few.trajectory)
    drawn = [sequences.Drawn(steps, True)]
  else:
    draw = sequences.from_replay(run.replay, run.config.replay, seed)
    drawn = [sample for sample in (draw() for _ in range(_BATCHES)) if sample]
  with writer.writing():
    looks.look_at(
        run.agent,
        [sample.trajectory for sample in drawn],
        writer.directory,
        run.environment_steps,
        run.train_steps,
        all(sample.held_out for sample in drawn),
    )


def _probes(
    run: opened.OpenedRun,
    episodes: episodes_lib.Episodes,
    seed: int,
    writer: writing.Writer,
    clock: _Clock,
) -> None:
  count = len(episodes.lengths)
  if count >= probes.fewest():
    of_steps = states.of_episodes(run.agent, episodes, seed)
    lengths = of_steps.lengths
    count = len(lengths)
    clock.tell(f'states of {count:,} of them')
  if count < probes.fewest():
    few = _too_few(count)
    if count < len(episodes.lengths):
      few += f', and the states of {len(episodes.lengths)} take too much memory'
    clock.note(f'no probes: {few}')
    nothing = _probed(count, episodes.is_new, [], {'probes': few})
    writer.write(Part.PROBES.value, nothing, None)
    return
  found = targets_lib.find(
      episodes.trajectory.observation, episodes.truths, episodes.lengths
  )
  left_out = dict(found.left_out)
  parts = probes.split(len(lengths), seed)
  lags = probes.log_lags(lengths)
  of_states = {
      name: probes.reduced(features, lengths, parts, seed)
      for name, features in of_steps.features.items()
  }
  panels = []
  for target in found.targets:
    target = target.of_episodes(len(lengths))
    for kind, chance, title in (
        (probes.by_lag, probes.chance_by_lag, target.name),
        (probes.by_age, probes.chance_by_age, f'first {target.name}'),
    ):
      curves = {
          name: kind(features, target, lengths, lags, parts, seed)
          for name, features in of_states.items()
      }
      if any(x is not None for scores in curves.values() for x in scores):
        panels.append(
            probe_pictures.Panel(
                title,
                'accuracy' if target.classes else 'r2',
                chance(target, lengths, lags),
                lags,
                curves,
            )
        )
      else:
        left_out[title] = 'too few episodes have each of its values'
    clock.tell(f'probes of {target.name}')
  for name, reason in left_out.items():
    clock.note(f'no probe of {name}: {reason}')
  writer.write(
      Part.PROBES.value,
      _probed(len(lengths), episodes.is_new, panels, left_out),
      (lambda path: probe_pictures.draw(panels, path)) if panels else None,
  )


def _too_few(episodes: int) -> str:
  return (
      f'{episodes} episodes are too few; {probes.fewest()} are the fewest that'
      ' a probe can be fitted to and scored on'
  )


def _probed(
    episodes: int,
    is_new: bool,
    panels: Sequence[probe_pictures.Panel],
    left_out: Mapping[str, str],
) -> dict[str, Any]:
  """Returns what is written of probes."""
  return {
      'episodes': episodes,
      'held_out': is_new,
      'targets': [
          {
              'name': panel.title,
              'measure': panel.measure,
              'chance': panel.chance,
              'lags': panel.lags,
              'curves': panel.curves,
          }
          for panel in panels
      ],
      'left_out': dict(left_out),
  }
