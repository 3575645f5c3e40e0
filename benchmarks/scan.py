"""The recurrence, forward and backward, against what one would use instead.

`r2i_tf.ssm.linear_recurrence`, `tfp.math.scan_associative` with TensorFlow's
own gradients on the same affine maps, and a `tf.while_loop` step by step: each
one XLA program (see `benchmarks.recurrences`). Timed in turn, compiled in turn,
beside the time that moving the arrays once takes.

  python -m benchmarks.scan
  python -m benchmarks.scan --shapes=8x512x256 --series= --loop_max_length=0
  python -m benchmarks.scan --hlo=DIRECTORY

The second form gives shapes of one's own and leaves out the loop and the series
of lengths; the third only writes the programs.
"""

from collections.abc import Sequence
import re
import time
from typing import Any

from absl import flags
import numpy as np

from benchmarks import report
from benchmarks import timing
from r2i_tf import errors
from r2i_tf.programs import command_line

_SHAPES = flags.DEFINE_list(
    'shapes', ['4x1024x512', '16x256x128', '1x16384x256'], 'BxLxP, a list.'
)
_SERIES = flags.DEFINE_list(
    'series', ['1024', '4096', '16384', '65536'], 'L of the series, B = 1.'
)
_STATE_SIZE = flags.DEFINE_integer('state_size', 128, 'P of the series.')
_LOOP_MAX_LENGTH = flags.DEFINE_integer(
    'loop_max_length', 1024, 'Greatest L at which the slow loop takes part.'
)
_COMPILATIONS = flags.DEFINE_integer(
    'compilations', 3, 'Compilations of each program, of which the median.'
)

# Inputs read, states written; upstream gradient and states read, adjoint
# written: five arrays. Copying reads one and writes one.
_COPIES_OF_FLOOR = 2.5
_COPY, _CALL = 'copy', 'copy of one number'


def main(_) -> None:
  """Runs what the flags ask for."""
  from r2i_tf import quiet

  shapes = [_parse(text) for text in _SHAPES.value]
  lengths = report.numbers(_SERIES)
  if _STATE_SIZE.value < 1 or _COMPILATIONS.value < 1:
    raise errors.RunError('--state_size and --compilations must be positive.')
  seconds, compilations = report.SECONDS.value, _COMPILATIONS.value
  series = [(1, length, _STATE_SIZE.value) for length in lengths]
  if report.QUICK.value:
    shapes, series = [], [(1, 16, 16), (1, 64, 16)]
    seconds, compilations = 0.5, 1
  quiet.first_compilation()
  if report.HLO.value:
    with report.hlo_target():
      _write_hlo([*shapes, *series])
    return
  record = measure(
      shapes, series, seconds, compilations, _LOOP_MAX_LENGTH.value
  )
  report.finish('scan', record, tables(record), lambda it: plot(record, it))


def measure(
    shapes: Sequence[Any],
    series: Sequence[Any],
    seconds: float,
    compilations: int,
    loop_max_length: int,
) -> dict[str, Any]:
  """Measures every contestant at every shape.

  Args:
    shapes: (B, L, P) each.
    series: Shapes that differ in L, in ascending order.
    seconds: Timing of one shape.
    compilations: Of each program.
    loop_max_length: Greatest L at which `tf.while_loop` takes part.

  Returns:
    What the JSON file holds: the machine, and a row for each program.
  """
  from benchmarks import memory
  from benchmarks import recurrences

  record = {'machine': report.machine(), 'series': list(series), 'rows': []}
  for shape in dict.fromkeys([*shapes, *series]):
    names = [recurrences.R2I_TF, recurrences.ASSOCIATIVE]
    if shape[1] <= loop_max_length:
      names.append(recurrences.LOOP)
    record['rows'] += _measure_shape(names, shape, seconds, compilations)
  cases = [(row['name'], row['shape']) for row in record['rows']]
  for row, size in zip(record['rows'], memory.program_bytes(cases).values()):
    row['memory_bytes'] = size
  return record


def _measure_shape(names, shape, seconds, compilations) -> list[dict[str, Any]]:
  """Returns the rows of one shape, all but their memory."""
  import tensorflow as tf

  from benchmarks import recurrences

  first_runs = {name: [] for name in names}
  for _ in range(compilations):
    programs = {}
    for name in names:
      function, arguments = recurrences.contestant(name, shape)
      programs[name] = function, arguments
      start = time.perf_counter()
      function.get_concrete_function(*arguments)
      traced = time.perf_counter() - start
      ran, _ = timing.timed(lambda: function(*arguments))  # noqa: B023
      first_runs[name].append((traced, ran))

  given = recurrences.problem(shape)
  true = recurrences.reference(given)
  wrong = {
      name: recurrences.errors(
          recurrences.solution(name, function(*arguments)), true
      )
      for name, (function, arguments) in programs.items()
  }
  array = tf.zeros([2 * given.inputs.size])
  # Adding what XLA does not know: a copy it could leave out.
  copy = tf.function(lambda x, y: x + y, jit_compile=True, autograph=False)
  programs[_COPY] = copy, (array, tf.constant(1.0))
  programs[_CALL] = copy, (array[:1], tf.constant(1.0))
  times = timing.in_turn(
      {
          name: lambda f=function, a=arguments: f(*a)
          for name, (function, arguments) in programs.items()
      },
      seconds,
  )

  call = times[_CALL].median
  moving = max(0.0, times[_COPY].median - call)
  floor = call + _COPIES_OF_FLOOR * moving
  rows = []
  for name in names:
    traced, ran = np.median(first_runs[name], 0)
    gradients = [v for part, v in wrong[name].items() if part != 'states']
    rows.append(
        {
            'name': name,
            'shape': shape,
            **times[name].record(),
            'over_r2i_tf': times[name].over(times[recurrences.R2I_TF]),
            'floor_ms': 1e3 * floor,
            'over_floor': times[name].median / floor,
            'call_ms': 1e3 * call,
            'copied_gb_per_s': 8e-9 * array.shape[0] / moving
            if moving
            else None,
            'trace_s': float(traced),
            'compile_s': float(max(0.0, ran - times[name].median)),
            'errors': wrong[name],
            'error_of_states': wrong[name]['states'],
            'error_of_gradients': float(np.max(gradients)),
        }
    )
    print(
        f'{_text(shape)} {name}: {rows[-1]["median_ms"]:.3g} ms,'
        f' {rows[-1]["over_r2i_tf"]:.2f} times r2i_tf',
        flush=True,
    )
  return rows


def tables(record: dict[str, Any]) -> dict[str, str]:
  """Returns the tables, by the name of their place."""
  above = report.machine_line(record['machine'])
  columns = {
      'B x L x P': lambda row: _text(row['shape']),
      'program': lambda row: row['name'],
      'time (ms)': lambda row: row['median_ms'],
      'over r2i_tf': lambda row: row['over_r2i_tf'],
      'floor (ms)': lambda row: row['floor_ms'],
      'over floor': lambda row: row['over_floor'],
      'trace (s)': lambda row: row['trace_s'],
      'compile (s)': lambda row: row['compile_s'],
      'memory (MB)': lambda row: row['memory_bytes'] / 1e6,
      'error, states': lambda row: row['error_of_states'],
      'error, gradients': lambda row: row['error_of_gradients'],
  }
  table = report.markdown(
      list(columns),
      [[value(row) for value in columns.values()] for row in record['rows']],
  )
  written = {'scan': f'{above}\n\n{table}'}
  if len(record['series']) > 1:
    written['scan_growth'] = _growth_table(record)
  return written


def _growth_table(record: dict[str, Any]) -> str:
  """Returns, along the series, the growth of time over that of length."""
  first = record['series'][0]
  begin, rows = {}, []
  for shape in record['series']:
    longer = shape[1] / first[1]
    row = [shape[1]]
    for name in ('r2i_tf', 'tfp.math.scan_associative'):
      time_ms = _row(record, name, shape)['median_ms']
      growth = time_ms / begin.setdefault(name, time_ms) / longer
      row += [1e3 * time_ms / shape[1], growth]
    rows.append(row)
  return report.markdown(
      [
          'L',
          'r2i_tf (us a step)',
          'growth',
          'scan_associative (us a step)',
          'growth',
      ],
      rows,
  )


def plot(record: dict[str, Any], picture) -> None:
  """Draws the times at the shapes, and along the series of lengths."""
  bars, lines = picture.subplots(1, 2, width_ratios=[1.4, 1])
  series = [tuple(shape) for shape in record['series']]
  rows = [row for row in record['rows'] if tuple(row['shape']) not in series]
  rows = rows or record['rows']
  shapes = list(dict.fromkeys(tuple(row['shape']) for row in rows))
  names = list(dict.fromkeys(row['name'] for row in record['rows']))
  for index, name in enumerate(names):
    mine = [row for row in rows if row['name'] == name]
    at = [shapes.index(tuple(row['shape'])) + index / 5 for row in mine]
    bars.bar(at, [row['median_ms'] for row in mine], 0.19, label=name)
    mine = [row for row in record['rows'] if row['name'] == name]
    mine = [row for row in mine if tuple(row['shape']) in series]
    lengths = [row['shape'][1] for row in mine]
    lines.plot(lengths, [row['median_ms'] for row in mine], 'o-', label=name)
  floors = [_row(record, names[0], shape)['floor_ms'] for shape in shapes]
  bars.bar(np.arange(len(shapes)) - 0.2, floors, 0.19, color='0.8')
  floors = [_row(record, names[0], shape)['floor_ms'] for shape in series]
  lengths = [shape[1] for shape in series]
  lines.plot(lengths, floors, '--', color='0.6', label='floor')
  bars.set_xticks(np.arange(len(shapes)) + 0.12, [_text(s) for s in shapes])
  bars.set_yscale('log')
  bars.set_xlabel('B x L x P')
  bars.set_ylabel('forward and backward (ms)')
  lines.set_xscale('log', base=2)
  lines.set_yscale('log')
  if series:
    lines.set_xlabel(f'L, with B = 1, P = {series[0][2]}')
  lines.legend()


def _row(record: dict[str, Any], name: str, shape: Any) -> dict[str, Any]:
  return next(
      row
      for row in record['rows']
      if row['name'] == name and tuple(row['shape']) == tuple(shape)
  )


def _write_hlo(shapes: Sequence[Any]) -> None:
  from benchmarks import recurrences

  for shape in shapes:
    for name in (recurrences.R2I_TF, recurrences.ASSOCIATIVE, recurrences.LOOP):
      function, arguments = recurrences.contestant(name, shape)
      compiler = function.experimental_get_compiler_ir(*arguments)
      report.write_hlo(
          f'{name}-{_text(shape)}', compiler(stage='hlo_serialized')
      )


def _parse(text: str):
  if not re.fullmatch('[1-9][0-9]*x[1-9][0-9]*x[1-9][0-9]*', text):
    raise errors.RunError(
        f'--shapes has {text!r}; a shape is BxLxP, such as 4x1024x512.'
    )
  return tuple(int(part) for part in text.split('x'))


def _text(shape: Any) -> str:
  return 'x'.join(str(size) for size in shape)


if __name__ == '__main__':
  command_line.run(main)
