"""The page of one run: what it was, how it went, and what can be seen in it."""

from collections.abc import Mapping
from collections.abc import Sequence
import datetime
import functools
import math
import pathlib
from typing import Any, Optional

import numpy as np

from r2i_tf import files
from r2i_tf.record import learning_curve
from r2i_tf.record import progress
from r2i_tf.record import records
from r2i_tf.reports import charts
from r2i_tf.reports import command
from r2i_tf.reports import document
from r2i_tf.reports import health
from r2i_tf.reports import history as history_lib
from r2i_tf.reports import looks
from r2i_tf.reports import losses
from r2i_tf.reports import markup
from r2i_tf.reports import reference
from r2i_tf.reports import runs as runs_lib
from r2i_tf.reports import signs

# Where a run's own page is, from its directory on.
FOLDER = 'report'


def write(workdir: pathlib.Path, output: pathlib.Path) -> pathlib.Path:
  """Writes the page of a run.

  Args:
    workdir: Of the run.
    output: The directory of the page; it is made, but not those above it.

  Returns:
    The page.

  Raises:
    OSError: It cannot be written.
  """
  output.mkdir(exist_ok=True)
  path = output / document.FILE
  files.write_text(path, build(history_lib.read(workdir)))
  return path


def build(run: history_lib.History) -> str:
  """Returns the page of a run, as HTML.

  Args:
    run: Its history.
  """
  pictures = markup.Pictures(run.workdir)
  look = functools.partial(looks.section, run=run, pictures=pictures)
  memory = (
      ('Probes', look('look/probes.json', looks.probes)),
      ('Time scales', look('look/timescales.json', looks.time_scales)),
      ('Reach', look('look/sensitivity.json', looks.sensitivity)),
      ('Rewards', look('look/rewards.json', looks.rewards)),
  )
  sections = [
      document.Section('health', 'Health', _health(run)),
      document.Section('returns', 'Returns', _returns(run)),
      document.Section(
          'foresight',
          'What it foresees',
          look('look/open_loop.json', looks.open_loop),
      ),
      document.Section(
          'episodes',
          'Episodes',
          look('policies/greedy/episodes/episodes.json', looks.episodes),
      ),
      document.Section(
          'memory',
          'What it remembers',
          ''.join(f'<h3>{title}</h3>{body}' for title, body in memory if body),
      ),
      document.Section('losses', 'Losses', losses.losses(run)),
      document.Section('speed', 'Speed and memory', losses.speed(run)),
      document.Section('run', 'The run', _run(run)),
  ]
  task = str(run.config['task'])
  head = (
      f'<p class="kicker">Run <code>{markup.escape(_name(run))}</code></p>'
      f'<h1>{markup.escape(task)}</h1>\n<p class="state">{_state(run)}</p>\n'
      f'{_tiles(run)}'
  )
  return document.build(f'{task}: {_name(run)}', head, sections)


def notes(found: Sequence[health.Note], heading: str = 'h3') -> str:
  """Returns health notes as HTML.

  Args:
    found: The notes.
    heading: The element of their titles.
  """
  return ''.join(
      f'<article class="note"><{heading}>{markup.escape(note.title)}'
      f'</{heading}><p>{markup.escape(note.evidence)}</p>'
      f'<p><b>What to change:</b> {markup.escape(note.advice)}</p></article>'
      for note in found
  )


def _name(run: history_lib.History) -> str:
  return run.workdir.resolve().name


def _state(run: history_lib.History) -> str:
  """Returns whether it is over, and why, in a sentence."""
  seed = f'Seed {run.config["seed"]}.'
  if run.outcome is not None:
    return f'{seed} Finished: {markup.escape(run.outcome.stopped)}.'
  if not run.records:
    return f'{seed} There is no record yet.'
  if not run.is_r2i:
    return f'{seed} Not finished.'
  written = (run.workdir / records.FILE).stat().st_mtime
  when = datetime.datetime.fromtimestamp(written, datetime.timezone.utc)
  share = run.last[records.STEP] / run.config['steps']
  return (
      f'{seed} Not finished: its last record, of {when:%Y-%m-%d %H:%M} UTC, is'
      f' at {share:.0%} of its environment steps.'
  )


def _tiles(run: history_lib.History) -> str:
  """Returns the numbers that one looks for first."""
  last, result = run.last, run.evaluation
  mean = history_lib.number(result.get('mean'))
  error = history_lib.number(result.get('standard_error'))
  greedy = '' if math.isnan(mean) else f'{mean:.3g}'
  if greedy and not math.isnan(error):
    greedy += f' <small>\N{PLUS-MINUS SIGN} {error:.2g}</small>'
  count = len(result.get('returns') or ())
  recent = history_lib.number(last.get('mean_return_200'))
  parameters = run.outcome.parameters if run.outcome is not None else None
  tiles = [
      (
          'Mean return, last 200 episodes',
          '' if math.isnan(recent) else f'{recent:.3g}',
      ),
      (f'Greedy policy, {count:,} episodes', greedy),
      ('Environment steps', _count(last.get(records.STEP))),
      ('Train steps', _count(last.get(records.TRAIN_STEP))),
      ('Episodes', _count(last.get('episodes'))),
      ('Time', progress.duration(60 * last['minutes']) if last else ''),
      ('Parameters', _count(parameters)),
  ]
  items = ''.join(
      f'<div><dt>{name}</dt><dd>{value}</dd></div>'
      for name, value in tiles
      if value
  )
  return f'<dl class="tiles">{items}</dl>' if items else ''


def _count(value: Optional[int]) -> str:
  return '' if value is None else f'{value:,}'


def _health(run: history_lib.History) -> str:
  """Returns what is known to be wrong, or that nothing is."""
  if not run.records or not run.is_r2i:
    return ''
  found = health.notes(run)
  if found:
    return notes(found)
  taken = run.last.get(records.TRAIN_STEP) or 0
  if not signs.is_long(run):
    return (
        f'<p>It is too soon to say: {taken:,} train steps in'
        f' {len(run.records):,} records.</p>'
    )
  return (
      f'<p>None of the {len(health.CHECKS)} known failures that the record is'
      ' searched for shows in it.</p>'
  )


def _returns(run: history_lib.History) -> str:
  """Returns the learning curve and what the evaluation has found."""
  curve = learning_curve.last_of_each_step(run.curve)
  if not len(curve.mean_returns):
    return '<p>No episode has finished yet.</p>' if run.records else ''
  threshold = run.config['stop_at_return']
  scale = reference.scale(str(run.config['task']))
  marks = {} if threshold is None else {'asked for': float(threshold)}
  if scale is not None:
    marks.update(scale.others)
  shown = [
      charts.chart(
          title,
          [charts.Line('mean return', x, curve.mean_returns)],
          charts.Look(x_title, marks=marks, is_tall=True),
      )
      for title, x_title, x in (
          (
              f'Mean return of the last {records.SHOWN} episodes',
              losses.STEPS,
              curve.environment_steps.astype(np.float64),
          ),
          ('The same by the clock', 'minutes', curve.minutes),
      )
  ]
  return f'<div class="grid wide">{"".join(shown)}</div>{_evaluation(run)}'


def _evaluation(run: history_lib.History) -> str:
  """Returns the evaluation of the greedy policy, as a sentence."""
  values = [
      history_lib.number(value) for value in run.evaluation.get('returns') or ()
  ]
  known = [value for value in values if math.isfinite(value)]
  if not known:
    return ''
  least, middle, most = np.percentile(known, [0, 50, 100])
  cut = history_lib.number(run.evaluation.get('cut'))
  words = f', {cut:.0f} of them cut for their length' if cut > 0 else ''
  return (
      f'<p>The greedy policy over {len(known):,} episodes{words}: mean'
      f' {np.mean(known):.4g}, median {middle:.4g}, between {least:.4g} and'
      f' {most:.4g}.</p>'
  )


def _run(run: history_lib.History) -> str:
  """Returns what was run: sizes, versions, and the command."""
  config = run.config
  workdir = str(run.workdir)
  versions = ', '.join(
      f'{markup.escape(name)} {markup.escape(version)}'
      for name, version in run.versions.items()
  )
  if not run.is_r2i:
    own = run.read_json('config.json').get('config')
    known = [
        (name, markup.escape(value))
        for name, value in runs_lib.flat(own if isinstance(own, dict) else {})
    ]
    return markup.facts([*known, ('Versions', versions)])
  fields = [
      [f'<code>{markup.escape(name)}</code>', markup.escape(repr(value))]
      for name, value in runs_lib.flat(config)
  ]
  table = markup.table(['field', 'value'], fields, 'Configuration')
  return (
      f'{markup.facts([*_sizes(config), ("Versions", versions)])}'
      '<h3>Again</h3><p>This command makes the same run, but for'
      ' <code>--strategy</code>, in a directory of its own:</p>'
      '<pre class="scroll" tabindex="0"><code>'
      f'{markup.escape(command.lines(config, f"{workdir}-again"))}</code></pre>'
      '<details><summary>Every field of its configuration</summary>'
      f'{table}</details>'
  )


def _sizes(config: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
  """Returns the facts that tell one model and its training from another."""
  agent, replay = config['agent'], config['replay']
  model = agent['world_model']
  memory, latent = model['sequence_model'], model['latent']
  kind = markup.escape(memory['kind'])
  output = f'h of {memory["output_size"]}'
  if memory['kind'] == 's3m':
    s3m = memory['s3m']
    kind = (
        f'S3M, {s3m["layers"]} layers of {s3m["state_size"]} states, width'
        f' {memory["width"]}'
    )
  heads = [
      (name, f'{mlp["layers"]} \N{MULTIPLICATION SIGN} {mlp["units"]}')
      for name, mlp in (
          ('encoder', model['encoder']),
          ('decoder', model['decoder']),
          ('reward', model['reward_head']),
          ('actor', agent['behavior']['actor']),
          ('critic', agent['behavior']['critic']),
      )
  ]
  return [
      ('Recipe', f'nearest to <code>{command.recipe(config)}</code>'),
      ('Memory', f'{kind}; {output}'),
      ('Latents', f'{latent["groups"]} groups of {latent["classes"]} classes'),
      ('MLPs', ', '.join(f'{name} {size}' for name, size in heads)),
      (
          'Batches',
          f'{replay["batch_size"]} sequences of {replay["sequence_length"]}'
          f' steps, train ratio {config["train_ratio"]:g}',
      ),
      (
          'Environments',
          f'{config["parallel_environments"]} at a time, prefill of'
          f' {config["prefill"]:,} steps',
      ),
  ]
