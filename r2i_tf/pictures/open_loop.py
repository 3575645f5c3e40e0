"""What a model foresaw of sequences, beside what came.

Of each sequence the model was shown the first steps, and imagined the others.
Arrays are [B, W, ...], of B sequences of W steps, `shown` of them shown. Which
is which is said in words and by a line between them, never by a colour alone.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import io
import pathlib
from typing import Any, Optional

from matplotlib import axes as axes_lib
from matplotlib import figure
from matplotlib import font_manager
from matplotlib import ticker
import numpy as np
from PIL import Image
from PIL import ImageDraw
from PIL import ImageFont

from r2i_tf import files

_ROWS = ('truth', 'prediction', 'difference')
_COLUMNS = 16  # Steps of a strip, at most.
_STRIP_CELL, _MOVING_CELL = 64, 128  # The sides of an image in pixels, at most.
_FRAMES = 64  # Of an animation, at most.
_PLAYED, _SHORTEST, _LONGEST, _LAST = 8_000, 80, 500, 1_500  # Milliseconds.
_TEXT_SIZE, _LINE, _MARGIN, _GAP = 13, 18, 6, 12  # In pixels.
_LABELS = 80  # The width that the names of the rows take.
_DPI = 100
_PANELS = 12  # Of a figure of vectors, at most.
_TRUTH: Mapping[str, Any] = {'color': 'black', 'linewidth': 1.2}
_PREDICTION: Mapping[str, Any] = {
    'color': 'tab:blue',
    'linewidth': 1.6,
    'linestyle': '--',
}


def draw_images(
    truth: np.ndarray,
    prediction: np.ndarray,
    shown: int,
    png: pathlib.Path,
    gif: pathlib.Path,
) -> None:
  """Writes images as a strip and as an animation.

  Truth, prediction and their difference are side by side; no difference is
  grey, and more of a colour than there was is brighter.

  Args:
    truth: uint8 [B, W, height, width] or [B, W, height, width, C]; of three
      channels a colour is made, of another number the last one is drawn.
    prediction: The same in float, in [0, 255].
    shown: Steps that were shown.
    png: The strip to write.
    gif: The animation to write.

  Raises:
    OSError: One of them cannot be written.
  """
  truth, prediction = _colored(truth), _colored(prediction)
  difference = 127.5 + (prediction - truth) / 2
  rows = [
      np.clip(np.round(images), 0, 255).astype(np.uint8)
      for images in (truth, prediction, difference)
  ]
  files.write_bytes(png, _encoded(_strip(rows, shown)))
  files.write_bytes(gif, _animation(rows, shown))


def draw_vectors(
    names: Sequence[str],
    truth: np.ndarray,
    prediction: np.ndarray,
    shown: int,
    png: pathlib.Path,
) -> None:
  """Writes the components of vectors over time, a panel for each.

  There are at most twelve: of more, those that move most. Where they are few,
  several sequences are drawn.

  Args:
    names: Of the N components.
    truth: float [B, W, N].
    prediction: float [B, W, N].
    shown: Steps that were shown.
    png: The picture to write.

  Raises:
    OSError: It cannot be written.
  """
  chosen = moving(truth, _PANELS)
  sequences = max(1, min(len(truth), _PANELS // max(1, len(chosen))))
  columns = sequences if sequences > 1 else min(3, len(chosen))
  rows = -(-len(chosen) * sequences // columns)
  picture, panels = _panels(rows, columns)
  flat = panels.reshape(-1)
  for place, axes in enumerate(flat):
    component, sequence = divmod(place, sequences)
    if component >= len(chosen):
      axes.set_visible(False)
      continue
    index = chosen[component]
    _draw_steps(
        axes,
        truth[sequence, :, index],
        prediction[sequence, :, index],
        shown,
    )
    axes.set_title(names[index], loc='left', fontsize=8, pad=3)
  most = '' if len(chosen) == len(names) else ', those that move most'
  _finish(
      picture,
      flat,
      f'{len(chosen)} of {len(names)} components{most}'
      if most
      else f'all {len(names)} components'
      if len(names) > 1
      else '',
      png,
  )


def draw_outlook(
    curves: Mapping[str, tuple[Optional[np.ndarray], np.ndarray]],
    shown: int,
    png: pathlib.Path,
) -> None:
  """Writes curves over time, a row for each and a column for each sequence.

  Args:
    curves: By name, what came and what was foreseen, float [B, W]. NaN, and
      None for all of them, is what nobody knows.
    shown: Steps that were shown.
    png: The picture to write.

  Raises:
    OSError: It cannot be written.
  """
  sequences = len(next(iter(curves.values()))[1])
  picture, panels = _panels(len(curves), sequences, sharey='row')
  for row, (name, (truth, prediction)) in zip(panels, curves.items()):
    row[0].set_title(name, loc='left', fontsize=8, pad=3)
    for sequence, axes in enumerate(row):
      came = None if truth is None else truth[sequence]
      _draw_steps(axes, came, prediction[sequence], shown)
  _finish(picture, panels.reshape(-1), '', png)


def moving(vectors: np.ndarray, most: int) -> list[int]:
  """Returns which components move most, in their order.

  Args:
    vectors: float [B, W, N].
    most: How many there may be.
  """
  # On the scale of the model's loss: no unit of measure outdoes the others.
  scaled = np.sign(vectors) * np.log1p(np.abs(vectors))
  spread = np.std(scaled, axis=(0, 1))
  return sorted(np.argsort(-spread, kind='stable')[:most].tolist())


# Images ----------------------------------------------------------------------


def _colored(images: np.ndarray) -> np.ndarray:
  """Returns images as float32 [B, W, height, width, 3]."""
  if images.ndim == 4:
    images = images[..., np.newaxis]
  channels = 3 if images.shape[-1] % 3 == 0 else 1
  last = images[..., -channels:].astype(np.float32)
  return np.broadcast_to(last, [*last.shape[:-1], 3])


def _strip(rows: Sequence[np.ndarray], shown: int) -> Image.Image:
  """Returns one step beside the other, three rows for each sequence."""
  sequences, steps = rows[0].shape[:2]
  columns = _thinned(steps, _COLUMNS, shown - 1)
  cells = [
      [[_sized(row[b, t], _STRIP_CELL) for t in columns] for row in rows]
      for b in range(sequences)
  ]
  width, height = cells[0][0][0].size
  lefts = [
      _LABELS + i * (width + 2) + (_GAP if step >= shown else 0)
      for i, step in enumerate(columns)
  ]
  top = 2 * _LINE + _MARGIN
  block = len(rows) * (height + 2) + _GAP
  picture = Image.new(
      'RGB',
      (lefts[-1] + width + _MARGIN, top + sequences * block),
      'white',
  )
  draw, font = ImageDraw.Draw(picture), _font()
  last_shown = sum(step < shown for step in columns) - 1
  between = lefts[last_shown] + width + _GAP // 2
  draw.text((lefts[0], _MARGIN // 2), 'shown', 'black', font)
  draw.text((lefts[last_shown + 1], _MARGIN // 2), 'imagined', 'black', font)
  draw.line((between, 0, between, picture.height), 'black', 2)
  for left, step in zip(lefts, columns):
    draw.text((left, _LINE), str(step + 1), 'black', font)
  for b, sequence in enumerate(cells):
    for r, row in enumerate(sequence):
      y = top + b * block + r * (height + 2)
      draw.text((_MARGIN, y), _ROWS[r], 'black', font)
      for left, cell in zip(lefts, row):
        picture.paste(cell, (left, y))
  return picture


def _animation(rows: Sequence[np.ndarray], shown: int) -> bytes:
  """Returns a GIF: a line of three images for each sequence."""
  sequences, steps = rows[0].shape[:2]
  chosen = _thinned(steps, _FRAMES, shown - 1)
  frames = [
      _frame([[row[b, t] for row in rows] for b in range(sequences)], t, shown)
      for t in chosen
  ]
  # One palette for all, of which the last frame may have colours of its own.
  sheet = Image.new('RGB', (frames[0].width, 3 * frames[0].height))
  for place, index in enumerate((0, len(frames) // 2, -1)):
    sheet.paste(frames[index], (0, place * frames[0].height))
  palette = sheet.quantize(128)
  indexed = [
      frame.quantize(palette=palette, dither=Image.Dither.NONE)
      for frame in frames
  ]
  each = min(_LONGEST, max(_SHORTEST, _PLAYED // len(frames)))
  content = io.BytesIO()
  indexed[0].save(
      content,
      'GIF',
      save_all=True,
      append_images=indexed[1:],
      duration=[each] * (len(frames) - 1) + [_LAST],
      loop=0,
      optimize=False,
  )
  return content.getvalue()


def _frame(
    images: Sequence[Sequence[np.ndarray]], step: int, shown: int
) -> Image.Image:
  """Returns the picture of one step; what is imagined has a thick frame."""
  cells = [[_sized(image, _MOVING_CELL) for image in row] for row in images]
  width, height = cells[0][0].size
  # Room for the name of the longest column.
  pitch = max(width, _LABELS) + _GAP
  top = 2 * _LINE + _MARGIN
  picture = Image.new(
      'RGB',
      (_GAP + len(_ROWS) * pitch, top + len(cells) * (height + _GAP)),
      'white',
  )
  draw, font = ImageDraw.Draw(picture), _font()
  is_shown = step < shown
  state = 'shown' if is_shown else f'imagined, {step + 1 - shown} ahead'
  draw.text((_GAP, _MARGIN // 2), f'step {step + 1}: {state}', 'black', font)
  for r, name in enumerate(_ROWS):
    draw.text((_GAP + r * pitch, _LINE), name, 'black', font)
  for b, row in enumerate(cells):
    for r, cell in enumerate(row):
      x, y = _GAP + r * pitch, top + b * (height + _GAP)
      picture.paste(cell, (x, y))
      if not is_shown and r == 1:
        draw.rectangle(
            (x - 6, y - 6, x + width + 5, y + height + 5), None, 'black', 3
        )
  return picture


def _sized(image: np.ndarray, side: int) -> Image.Image:
  """Returns an image whose longer side has about so many pixels."""
  picture = Image.fromarray(image)
  longest = max(picture.size)
  if longest <= side:
    times = side // longest
    size = (picture.width * times, picture.height * times)
    return picture.resize(size, Image.Resampling.NEAREST)
  shrink = longest / side
  size = (
      max(1, round(picture.width / shrink)),
      max(1, round(picture.height / shrink)),
  )
  return picture.resize(size, Image.Resampling.BOX)


def _thinned(steps: int, most: int, kept: int) -> list[int]:
  """Returns some steps, evenly spaced but for those that must be there.

  Args:
    steps: How many there are.
    most: How many may be returned, at least 4.
    kept: One that must be there with the next, as the first and the last are.
  """
  if steps <= most:
    return list(range(steps))
  needed = {0, kept, kept + 1, steps - 1}
  spaced = np.linspace(0, steps - 1, most - 2).round().astype(int).tolist()
  free = [step for step in spaced if step not in needed]
  room = most - len(needed)
  return sorted({*needed, *free[:room]})


def _encoded(picture: Image.Image) -> bytes:
  content = io.BytesIO()
  picture.save(content, 'PNG')
  return content.getvalue()


def _font() -> ImageFont.FreeTypeFont:
  return ImageFont.truetype(
      font_manager.findfont('DejaVu Sans'), size=_TEXT_SIZE
  )


# Curves ----------------------------------------------------------------------


def _panels(
    rows: int, columns: int, **options: Any
) -> tuple[figure.Figure, np.ndarray]:
  """Returns a figure and its panels [rows, columns]."""
  picture = figure.Figure(
      figsize=(max(4.0, 3.2 * columns), 0.6 + 1.25 * rows), dpi=_DPI
  )
  panels = picture.subplots(
      rows, columns, sharex=True, squeeze=False, **options
  )
  return picture, panels


def _draw_steps(
    axes: axes_lib.Axes,
    truth: Optional[np.ndarray],
    prediction: np.ndarray,
    shown: int,
) -> None:
  """Draws one number over the steps of a sequence."""
  times = np.arange(1, len(prediction) + 1)
  axes.axvspan(0.5, shown + 0.5, color='0.9', linewidth=0)
  axes.axvline(shown + 0.5, color='0.4', linewidth=0.8)
  if truth is not None:
    axes.plot(times, truth, label='truth', **_TRUTH)
  axes.plot(times, prediction, label='prediction', **_PREDICTION)
  axes.set_xlim(0.5, len(prediction) + 0.5)
  axes.tick_params(labelsize=7, length=2)
  axes.xaxis.set_major_locator(ticker.MaxNLocator(6, integer=True))
  axes.yaxis.set_major_locator(ticker.MaxNLocator(4))
  axes.spines[['top', 'right']].set_visible(False)


def _finish(
    picture: figure.Figure,
    panels: np.ndarray,
    text: str,
    png: pathlib.Path,
) -> None:
  """Adds what is said of all panels, and writes the picture."""
  for axes in panels:
    # After all are drawn: those of a row may share their limits.
    low, high = axes.get_ylim()
    if high - low < 0.1:  # What hardly moves is drawn so.
      middle = (low + high) / 2
      axes.set_ylim(middle - 0.05, middle + 0.05)
  width, height = picture.get_size_inches()
  picture.subplots_adjust(
      left=0.5 / width,
      right=1 - 0.1 / width,
      bottom=0.4 / height,
      top=1 - 0.55 / height,
      hspace=0.45,
      wspace=0.2,
  )
  note = 'shaded: shown; behind the line: imagined'
  picture.text(
      0.1 / width,
      1 - 0.2 / height,
      f'{note}; {text}' if text else note,
      fontsize=8,
  )
  handles, labels = panels[0].get_legend_handles_labels()
  picture.legend(
      handles,
      labels,
      loc='upper right',
      ncols=len(handles),
      fontsize=8,
      frameon=False,
      borderaxespad=0.1,
  )
  picture.text(0.5, 0.06 / height, 'step', fontsize=8, ha='center')
  content = io.BytesIO()
  picture.savefig(content, format='png')
  files.write_bytes(png, content.getvalue())
