"""An episode as an animated GIF: what was seen, above what was thought of it.

The curves are drawn once, by matplotlib; a frame is that picture, the image of
its step, a line at it and two lines of text, which Pillow puts together in a
millisecond.
"""

import io
import pathlib
from typing import Any, NamedTuple

from matplotlib import figure
from matplotlib import font_manager
from matplotlib import ticker
from matplotlib.backends import backend_agg
import numpy as np
from PIL import Image
from PIL import ImageDraw
from PIL import ImageFont

from r2i_tf.pictures import episodes

FRAMES = 60
COLORS = 128
BYTES = 2_000_000
_SMALL, _LARGE = 256, 320  # What images are brought to, in pixels.
_WIDTH = 288  # Of a frame at least, so that the text fits.
_TEXT_SIZE, _LINE, _MARGIN = 13, 18, 6  # In pixels.
_STRIP_HEIGHT = 62
_DPI = 100
_LINE_COLOR = (200, 40, 40)
# How long it plays, how long one frame may stand, and the last: milliseconds.
_PLAYED, _SHORTEST, _LONGEST, _LAST = 8_000, 60, 500, 1_500
_FEWEST = 10
_ACTIONS = 4  # As many numbers of an action as a line can hold.


class Images(NamedTuple):
  """The images of an episode.

  Attributes:
    steps: int [N], when; rising, from 0 to T at most.
    images: uint8 [N, H, W, C], C of 1 or 3.
  """

  steps: np.ndarray
  images: np.ndarray


class Animation(NamedTuple):
  """What an animation has become.

  Attributes:
    frames: How many it has.
    every: Steps from one frame to the next; the last may come sooner.
    colors: How many it has at most.
    width: In pixels.
    height: In pixels.
    bytes: Of its file.
  """

  frames: int
  every: int
  colors: int
  width: int
  height: int
  bytes: int


def stride(steps: int) -> int:
  """Returns every how many steps there is to be a frame.

  Args:
    steps: T, of the whole episode.
  """
  return -(-steps // (FRAMES - 1))


def animate(
    episode: episodes.Episode,
    images: Images,
    gif: pathlib.Path,
    still: pathlib.Path,
) -> Animation:
  """Writes an episode as an animation, and its last frame.

  Args:
    episode: The episode.
    images: Of some of its steps, 2 or more. Where they are more than `FRAMES`,
      or the file has more than `BYTES`, some are left out.
    gif: The GIF to write.
    still: The PNG to write.

  Returns:
    What was written.
  """
  chosen = _chosen(images.steps, FRAMES)
  strip = _Strip(episode, _shown(images.images[0]).width)
  frames = [
      _frame(episode, int(images.steps[i]), images.images[i], strip)
      for i in chosen
  ]
  frames[-1].save(still)
  palette = _palette(frames)
  indexed = [
      frame.quantize(palette=palette, dither=Image.Dither.NONE)
      for frame in frames
  ]
  data = _encoded(indexed)
  while len(data) > BYTES and len(indexed) > _FEWEST:
    kept = _chosen(np.arange(len(indexed)), -(-len(indexed) // 2))
    chosen, indexed = chosen[kept], [indexed[i] for i in kept]
    data = _encoded(indexed)
  gif.write_bytes(data)
  return Animation(
      frames=len(indexed),
      every=int(images.steps[chosen[1]] - images.steps[chosen[0]]),
      colors=COLORS,
      width=indexed[0].width,
      height=indexed[0].height,
      bytes=len(data),
  )


def _chosen(steps: np.ndarray, most: int) -> np.ndarray:
  """Returns the places of every n-th and of the last, at most so many."""
  last = len(steps) - 1
  every = max(1, -(-last // (most - 1)))
  return np.unique(np.append(np.arange(0, last, every), last))


class _Strip:
  """The curves of an episode as a picture, and where its steps are in it."""

  def __init__(self, episode: episodes.Episode, width: int):
    # What has come in before each step, as the text above it says.
    so_far = np.cumsum(np.append(0.0, episode.rewards))
    curves = {'return so far': so_far, **episode.curves}
    width = max(width, _WIDTH)
    picture = figure.Figure(
        figsize=(width / _DPI, (_STRIP_HEIGHT * len(curves) + 24) / _DPI),
        dpi=_DPI,
        layout='constrained',
    )
    canvas = backend_agg.FigureCanvasAgg(picture)
    panels = picture.subplots(len(curves), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (name, values) in zip(panels, curves.items()):
      episodes.draw_curve(axes, values)
      axes.set_title(name, loc='left', fontsize=7, pad=2)
      axes.tick_params(labelsize=6, length=2)
    panels[-1].set_xlim(0, episode.steps + 1)
    panels[-1].xaxis.set_major_locator(ticker.MaxNLocator(5, integer=True))
    panels[-1].set_xlabel('step', fontsize=7)
    canvas.draw()
    self.picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert(
        'RGB'
    )
    self._axes = panels[-1]
    bottom = self._axes.get_window_extent().y0
    top = panels[0].get_window_extent().y1
    height = self.picture.height
    self._ends = (height - top, height - bottom)

  def at(self, step: int) -> Image.Image:
    """Returns the picture with a line at a step."""
    x, _ = self._axes.transData.transform((step + 0.5, 0))
    picture = self.picture.copy()
    top, bottom = self._ends
    ImageDraw.Draw(picture).line((x, top, x, bottom), _LINE_COLOR, 1)
    return picture


def _frame(
    episode: episodes.Episode, step: int, image: np.ndarray, strip: _Strip
) -> Image.Image:
  shown, curves = _shown(image), strip.at(step)
  width = max(shown.width, curves.width)
  text_height = 2 * _LINE + _MARGIN
  frame = Image.new(
      'RGB', (width, text_height + shown.height + curves.height), 'white'
  )
  draw, font = ImageDraw.Draw(frame), _font()
  for row, text in enumerate(_words(episode, step)):
    draw.text((_MARGIN, _MARGIN / 2 + row * _LINE), text, 'black', font)
  left = (width - shown.width) // 2
  frame.paste(shown, (left, text_height))
  edge = (
      left - 1,
      text_height - 1,
      left + shown.width,
      text_height + shown.height,
  )
  draw.rectangle(edge, outline='gray')
  frame.paste(curves, (0, text_height + shown.height))
  return frame


def _words(episode: episodes.Episode, step: int) -> tuple[str, str]:
  """Returns the two lines above the image of a step."""
  total = episodes.number(episode.rewards.sum())
  so_far = episodes.number(episode.rewards[:step].sum())
  if step < episode.steps:
    numbers = [
        f'{value}'
        if np.issubdtype(episode.actions.dtype, np.integer)
        else f'{value:.2f}'
        for value in episode.actions[step][:_ACTIONS]
    ]
    more = ' ...' if episode.actions.shape[1] > _ACTIONS else ''
    doing = f'action {" ".join(numbers)}{more}'
  else:
    doing = 'cut here' if episode.cut else 'the end'
  return (
      f'step {step:,} of {episode.steps:,}, {doing}',
      f'return so far {so_far} of {total}',
  )


def _shown(image: np.ndarray) -> Image.Image:
  """Returns an image in a size that people see."""
  picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
  picture = picture.convert('RGB')
  longest = max(picture.size)
  if longest <= _SMALL:
    times = max(1, _SMALL // longest)
    size = (picture.width * times, picture.height * times)
    return picture.resize(size, Image.Resampling.NEAREST)
  shrink = max(1.0, longest / _LARGE)
  size = (round(picture.width / shrink), round(picture.height / shrink))
  return picture.resize(size, Image.Resampling.BOX)


def _palette(frames: list[Image.Image]) -> Image.Image:
  """Returns the colours of some of the frames, one palette for all."""
  some = frames[:: max(1, len(frames) // 6)]
  width, height = frames[0].size
  sheet = Image.new('RGB', (width * len(some), height))
  for place, frame in enumerate(some):
    sheet.paste(frame, (place * width, 0))
  return sheet.quantize(COLORS)


def _encoded(frames: list[Image.Image]) -> bytes:
  each = min(_LONGEST, max(_SHORTEST, _PLAYED // len(frames)))
  file = io.BytesIO()
  options: dict[str, Any] = {
      'save_all': True,
      'append_images': frames[1:],
      'duration': [each] * (len(frames) - 1) + [_LAST],
      'loop': 0,
      'optimize': False,
  }
  frames[0].save(file, 'GIF', **options)
  return file.getvalue()


def _font() -> ImageFont.FreeTypeFont:
  return ImageFont.truetype(
      font_manager.findfont('DejaVu Sans'), size=_TEXT_SIZE
  )
