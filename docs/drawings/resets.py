"""How a scan in chunks deals with resets: r2i_tf/ssm/scan.py in a picture.

The example has L = 12 steps in C = 3 chunks of K = 4, and an eigenvalue of
abs(lambda_bar) = 0.7. `left_weights` follows the scan's own rule; a test holds
it to the scan.
"""

from docs.drawings import svg

CHUNK_LENGTH, CHUNKS = 4, 3
LENGTH = CHUNK_LENGTH * CHUNKS
RESETS = (2, 10)  # Steps that begin an episode; step 0 continues one.
MAGNITUDE = 0.7  # Of lambda_bar.

_LEFT, _CELL = 40, 45


def left_weights() -> list[float]:
  """Returns how much of each input is in the state that its chunk leaves.

  lambda_bar^k for an input k steps before the end of the chunk; zero for one
  that a reset follows within it.
  """
  weights = []
  for step in range(LENGTH):
    last = step - step % CHUNK_LENGTH + CHUNK_LENGTH - 1
    is_forgotten = any(step < reset <= last for reset in RESETS)
    weights.append(0.0 if is_forgotten else MAGNITUDE ** (last - step))
  return weights


def drawing() -> svg.Drawing:
  """Returns the drawing."""
  d = svg.Drawing(
      620,
      640,
      'A scan in chunks, with resets',
      'Twelve steps in three chunks of four; steps 2 and 10 begin an episode.'
      ' First, each chunk is reduced to what it leaves if entered with zero:'
      ' inputs before its last reset weigh nothing. Second, these three are run'
      ' through the same recurrence with the fourth power of lambda_bar, and a'
      ' chunk with a reset lets nothing through. Third, all chunks are run side'
      ' by side from the states that enter them, and at a reset the initial'
      ' state stands in for the one before. Every state depends on the steps of'
      ' its own episode and on no other.',
  )
  _steps(d, 56)
  d.text(_LEFT, 28, 'Inputs B̄u_t; a thick frame: an episode begins here')

  d.text(_LEFT, 134, '1. What each chunk leaves, entered with zero', 'title')
  d.text(
      _LEFT,
      154,
      'all chunks at once; the bar: its weight |λ̄|^k; a reset adds λ̄ x_init',
      'small',
  )
  for step, weight in enumerate(left_weights()):
    x, height = _x(step), 56 * weight
    d.rectangle(x + 4, 224 - height, _CELL - 14, height, 'weight')
    d.text(
        x + (_CELL - 6) / 2,
        242,
        f'{weight:.2f}' if weight else '0',
        'small soft',
        middle=True,
    )

  d.text(_LEFT, 288, '2. From chunk to chunk', 'title')
  d.text(_LEFT, 308, 'the same recurrence, with λ̄^K, a chunk a step', 'small')
  for chunk in range(CHUNKS):
    steps = range(chunk * CHUNK_LENGTH, (chunk + 1) * CHUNK_LENGTH)
    cut = any(reset in steps for reset in RESETS)
    x, width = _x(steps[0]), CHUNK_LENGTH * _CELL - 6
    d.rectangle(x, 326, width, 44, 'reset' if cut else 'box', radius=6)
    words = 'cut: what enters is lost' if cut else 'lets λ̄^K of it through'
    d.text(x + width / 2, 353, words, 'small', middle=True)
    if chunk:
      d.line((x - 6, 348), (x - 1, 348), head=False)
  d.line((14, 348), (_LEFT - 2, 348))
  d.text(8, 338, 'carry', 'small soft')

  d.text(_LEFT, 416, '3. All chunks from the states that enter them', 'title')
  d.text(_LEFT, 436, 'x_t = λ̄ · prev_t + B̄u_t, K steps side by side', 'small')
  starts = sorted({*RESETS, *range(0, LENGTH, CHUNK_LENGTH)})
  for step in range(LENGTH):
    x = _x(step)
    if step in RESETS:
      d.line((x - 3, 450), (x - 3, 500), style='cut', head=False)
    if step not in starts:
      d.line((x - 8, 476), (x - 1, 476), head=False)
    d.rectangle(x, 458, _CELL - 6, 36, _style(step), radius=4)
    d.text(x + (_CELL - 6) / 2, 481, f'x{step}', 'small', middle=True)
  for start in starts:
    name = 'x_init' if start in RESETS else 'enters'
    d.line((_x(start) + 8, 518), (_x(start) + 8, 497))
    d.text(_x(start), 534, name, 'small soft')

  d.text(
      _LEFT, 576, 'So each state knows its own episode, and no other', 'title'
  )
  bounds = [0, *RESETS, LENGTH]
  for index, (first, end) in enumerate(zip(bounds, bounds[1:])):
    x = _x(first)
    width = _x(end) - x - 6
    d.rectangle(x, 590, width, 34, 'chosen', radius=6)
    words = 'before' if index == 0 else f'from {first} on'
    d.text(x + width / 2, 612, words, 'small', middle=True)
  return d


def _x(step: int) -> float:
  return _LEFT + step * _CELL


def _style(step: int) -> str:
  return 'reset' if step in RESETS else 'box'


def _steps(d: svg.Drawing, y: float) -> None:
  """Draws the row of steps, chunk by chunk."""
  for step in range(LENGTH):
    d.rectangle(_x(step), y - 14, _CELL - 6, 36, _style(step), radius=4)
    d.text(_x(step) + (_CELL - 6) / 2, y + 9, f'u{step}', 'small', middle=True)
  for chunk in range(CHUNKS):
    first = _x(chunk * CHUNK_LENGTH)
    last = first + CHUNK_LENGTH * _CELL - 6
    d.line((first, y + 32), (last, y + 32), head=False)
    d.text(
        (first + last) / 2, y + 50, f'chunk {chunk}', 'small soft', middle=True
    )
