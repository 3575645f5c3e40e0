"""Sections of a run's page: what was seen when someone looked into the run.

Each reads a JSON file that another part of the package writes, and the pictures
that it names. A file that is missing gives no section; what is in it is taken
for anything at all, and escaped.
"""

from collections.abc import Callable
from collections.abc import Mapping
import math
import pathlib
from typing import Any, Optional

import numpy as np

from r2i_tf.reports import charts
from r2i_tf.reports import history as history_lib
from r2i_tf.reports import markup

_BINS = 24
# What comes of values that are not what the file is to hold, or of paths that
# no file can have.
_UNEXPECTED = (
    ArithmeticError,
    AttributeError,
    LookupError,
    OSError,
    TypeError,
    ValueError,
)
_FEATURES = {
    'x': 'x, the hidden state',
    'h': 'h, the output',
    'z': 'z, the latent',
    'policy': 'what the policy sees',
    'present': 'the observation of that moment',
}
_INPUTS = {
    'gradient': 'to the observation',
    'action_gradient': 'to the action',
}
_PREDICTORS = {
    'model': 'the world model',
    'last': 'the last frame, repeated',
    'mean': 'the mean of the data',
}


def section(
    path: str,
    show: Callable[[Mapping[str, Any], pathlib.Path, markup.Pictures], str],
    run: history_lib.History,
    pictures: markup.Pictures,
) -> str:
  """Returns a section from a JSON file of the run, as HTML.

  Args:
    path: The file, from the run's directory on.
    show: Makes the section of its content and its folder.
    run: The run.
    pictures: Those of the page.

  Returns:
    '' without a file; a sentence where its content is not as it should be.
  """
  found = run.read_json(path)
  if not found:
    if (run.workdir / path).exists():
      return f'<p class="missing"><code>{path}</code> cannot be read.</p>'
    return ''
  try:
    return show(found, (run.workdir / path).parent, pictures)
  except _UNEXPECTED as error:
    reason = markup.escape(f'{type(error).__name__}: {error}')
    return (
        f'<p class="missing"><code>{path}</code> is not what this version of'
        f' the report expects ({reason}).</p>'
    )


def open_loop(
    found: Mapping[str, Any], folder: pathlib.Path, pictures: markup.Pictures
) -> str:
  """Returns what the world model foresees, as HTML."""
  source = (
      'that are never trained on'
      if found['held_out']
      else 'of the replay, which is trained on'
  )
  parts = [
      f'<p class="intro">{_when(found)} The model was shown the first'
      f' {int(found["shown"])} steps of sequences {source}, and went on alone,'
      ' under the actions that were taken.</p>'
  ]
  horizons = _numbers(found.get('horizons', []))
  errors = found.get('errors') or {}
  parts.append(
      charts.chart(
          'Error by steps ahead',
          [
              charts.Line(name, horizons, _numbers(errors[key]), style=i)
              for i, (key, name) in enumerate(_PREDICTORS.items())
              if key in errors
          ],
          charts.Look('steps ahead', tuple(horizons)),
          '<span class="meaning">squared error of the observation; a model that'
          ' knows its task lies below both others</span>',
      )
      if len(horizons)
      else ''
  )
  for picture in found['pictures']:
    title = str(picture['title'])
    parts.append(
        _figure(
            title,
            folder / str(picture['png']),
            folder / str(picture['gif']) if picture.get('gif') else None,
            f'Open-loop prediction: {title}',
            pictures,
        )
    )
  return ''.join(parts)


def episodes(
    found: Mapping[str, Any], folder: pathlib.Path, pictures: markup.Pictures
) -> str:
  """Returns episodes of the greedy policy, as HTML."""
  parts = []
  for i, episode in enumerate(found['episodes'], start=1):
    cut = ', cut there' if episode.get('cut') else ''
    every = episode.get('every')
    if every and int(every) > 1:
      cut += f'; one frame in {int(every)}'
    title = (
        f'Episode {i}: return {_short(episode["return"])},'
        f' {int(episode["steps"]):,} steps{cut}'
    )
    file = folder / str(episode['file'])
    moves = episode['kind'] == 'animation'
    still = folder / str(episode.get('still') or episode['file'])
    parts.append(
        _figure(
            title,
            still if moves else file,
            file if moves else None,
            f'{title}, seed {_short(episode["seed"])}',
            pictures,
        )
    )
  return (
      '<p class="intro">The first episodes of the evaluation of the greedy'
      f' policy.</p><div class="shots">{"".join(parts)}</div>'
  )


def probes(
    found: Mapping[str, Any], folder: pathlib.Path, pictures: markup.Pictures
) -> str:
  """Returns what can be read from the memory of what was seen, as HTML."""
  del folder, pictures
  parts = []
  for target in found['targets']:
    lags = _numbers(target['lags'])
    curves = target['curves']
    measure = (
        'R\N{SUPERSCRIPT TWO}' if target['measure'] == 'r2' else 'accuracy'
    )
    # How far below -1 an R^2 lies says nothing; a line would leave its chart.
    lines = [
        charts.Line(
            name, lags, np.maximum(_numbers(curves[key]), -1.0), style=i
        )
        for i, (key, name) in enumerate(_FEATURES.items())
        if curves.get(key)
    ]
    values = [v for line in lines for v in line.y if math.isfinite(v)]
    chance = float(target['chance'])
    least = min([chance, *values])
    least = math.floor(10 * least) / 10 - 0.1 * (least > 0)
    parts.append(
        charts.chart(
            str(target['name']),
            lines,
            charts.Look(
                'steps ago',
                tuple(lags),
                y_range=(least, 1.0),
                marks={'chance': chance},
            ),
            f'<span class="meaning">{measure}, on episodes that the probe was'
            ' not fitted on</span>',
        )
    )
  others = found.get('left_out') or {}
  left_out = '; '.join(f'{name}, since {why}' for name, why in others.items())
  if not parts:
    return f'<p>None were made: {markup.escape(left_out)}.</p>' * bool(left_out)
  return (
      f'<p class="intro">{_when(found)} A linear probe reads, from the states'
      f' of {int(found["episodes"]):,} episodes, what was seen so many steps'
      ' before. At chance, nothing is left of it.</p>'
      f'<div class="grid wide">{"".join(parts)}</div>'
      + (f'<p>Left out: {markup.escape(left_out)}.</p>' if left_out else '')
  )


def time_scales(
    found: Mapping[str, Any], folder: pathlib.Path, pictures: markup.Pictures
) -> str:
  """Returns how long the channels of each layer remember, as HTML."""
  del folder, pictures
  layers = found['layers']
  every = np.concatenate(
      [_numbers(layer[key]) for layer in layers for key in ('at_start', 'now')]
  )
  every = every[np.isfinite(every) & (every > 0)]
  if not len(every):
    return ''
  edges = np.geomspace(every.min() / 1.01, every.max() * 1.01, _BINS + 1)
  parts = [
      charts.chart(
          f'Layer {i}',
          [
              _histogram('at the start', _numbers(layer['at_start']), edges),
              _histogram('now', _numbers(layer['now']), edges),
          ],
          charts.Look('half-life in steps', x_is_log=True),
          '<span class="meaning">number of channels</span>',
      )
      for i, layer in enumerate(layers, start=1)
  ]
  return (
      f'<p class="intro">{_when(found)} After its half-life a channel of the'
      ' state-space layers holds half of what was written to it.</p>'
      f'<div class="grid wide">{"".join(parts)}</div>'
  )


def sensitivity(
    found: Mapping[str, Any], folder: pathlib.Path, pictures: markup.Pictures
) -> str:
  """Returns how far back the reward prediction looks, as HTML."""
  del folder, pictures
  lags = _numbers(found['lags'])
  if not len(lags):
    return f'<p>{_when(found)} No rewarded step was found.</p>'
  lines = []
  for i, (key, name) in enumerate(_INPUTS.items()):
    if found.get(key):
      norms = _numbers(found[key])
      # Without a path there is none; a gap leaves room for a logarithmic axis.
      norms = np.where(norms > 0, norms, np.nan)
      lines.append(charts.Line(name, lags, norms, style=i))
  return f'<p class="intro">{_when(found)}</p>' + charts.chart(
      'Gradient of the predicted reward',
      lines,
      charts.Look('steps before the reward', tuple(lags)),
      '<span class="meaning">mean norm, at rewarded steps, with respect to what'
      ' went in so many steps before</span>',
  )


def rewards(
    found: Mapping[str, Any], folder: pathlib.Path, pictures: markup.Pictures
) -> str:
  """Returns how rewards are predicted, of episodes old and new, as HTML."""
  del folder, pictures
  rows = [
      [
          markup.escape(str(each['name'])),
          f'{int(each["episodes"]):,}',
          f'{int(each["steps"]):,}',
          _share(each['sign']),
          '' if each['loss'] is None else _short(each['loss']),
      ]
      for each in found['sets']
  ]
  names = ['episodes', 'count', 'rewards', 'sign right', '-ln p(r), nats']
  return (
      f'<p class="intro">{_when(found)} How rewards other than zero are'
      ' predicted when they come. Where new episodes are predicted worse than'
      ' those of the replay, and these without their beginnings not much worse'
      ' than whole, the model knows them by heart.</p>'
      + markup.table(names, rows, 'Predicted rewards')
  )


def _share(value: Any) -> str:
  return '' if value is None else f'{history_lib.number(value):.0%}'


def _figure(
    title: str,
    still: pathlib.Path,
    moving: Optional[pathlib.Path],
    alt: str,
    pictures: markup.Pictures,
) -> str:
  """Returns a picture, with what moves behind a button."""
  shown = pictures.show(still, alt)
  play = ''
  if moving is not None:
    animation = pictures.show(moving, f'{alt}, animated')
    play = f'<details><summary>Play</summary>{animation}</details>'
  return (
      f'<figure><figcaption><b>{markup.escape(title)}</b></figcaption>'
      f'{shown}{play}</figure>'
  )


def _histogram(name: str, values: np.ndarray, edges: np.ndarray) -> charts.Line:
  """Returns how many values lie between edges, as a line of steps."""
  counts, _ = np.histogram(values[np.isfinite(values)], edges)
  heights = np.concatenate([[0], np.repeat(counts, 2), [0]])
  return charts.Line(name, np.repeat(edges, 2), heights.astype(np.float64))


def _when(found: Mapping[str, Any]) -> str:
  steps = f'After {int(found["environment_steps"]):,} environment steps'
  taken = found.get('train_steps')
  return (
      f'{steps}.' if taken is None else f'{steps} ({int(taken):,} train steps).'
  )


def _numbers(values: Any) -> np.ndarray:
  return np.array([history_lib.number(value) for value in values], np.float64)


def _short(value: Any) -> str:
  number = history_lib.number(value)
  return f'{number:.4g}' if math.isfinite(number) else str(value)
