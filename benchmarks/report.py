"""What the timing programs share beside timing: flags, tables, JSON, plots."""

from collections.abc import Mapping
from collections.abc import Sequence
import contextlib
import json
import os
import pathlib
import platform
import re
from typing import Any, Callable, Optional

from absl import flags
from matplotlib import figure
from matplotlib import ticker

from benchmarks import tables
from r2i_tf import errors

QUICK = flags.DEFINE_bool(
    'quick', False, 'Under a minute: sizes that show only that it works.'
)
SECONDS = flags.DEFINE_float(
    'seconds', 10.0, 'Timing of one group of things compared, in seconds.'
)
DOCS = flags.DEFINE_string(
    'docs',
    None,
    'Directory for JSON and plot, and for the tables, if it has a'
    ' performance.md; by default docs/, or none with --quick.',
)
HLO = flags.DEFINE_string(
    'hlo', None, 'Time nothing; write the programs to be timed here, as HLO.'
)
HLO_DEVICE = flags.DEFINE_enum(
    'hlo_device', None, ['cpu', 'gpu', 'tpu'], 'What --hlo is to be run on.'
)

# Of the environment, what decides how fast TensorFlow is.
_SETTINGS = ('XLA_FLAGS', 'TF_CPU_ALLOCATOR_USE_BFC')

_DOCS = pathlib.Path(__file__).resolve().parent.parent / 'docs'


def numbers(flag: flags.FlagHolder) -> list[int]:
  """Returns the positive integers of a list flag.

  Args:
    flag: Made by `flags.DEFINE_list`.

  Raises:
    errors.RunError: One is no positive integer.
  """
  for text in flag.value:
    if not re.fullmatch('[1-9][0-9]*', text):
      raise errors.RunError(
          f'--{flag.name} has {text!r}; give positive integers, such as'
          f' --{flag.name}={",".join(flag.default)}.'
      )
  return [int(text) for text in flag.value]


def finish(
    name: str,
    record: Mapping[str, Any],
    written: Mapping[str, str],
    plot: Optional[Callable[[figure.Figure], None]] = None,
) -> None:
  """Prints the tables and, unless it was a quick run, puts all in its place.

  Args:
    name: Of the JSON file and the picture.
    record: What the JSON file holds.
    written: The tables, Markdown, by the name of their place.
    plot: Draws the picture; None where there is none.
  """
  for table in written.values():
    print(f'\n{table}', flush=True)
  docs = DOCS.value or (None if QUICK.value else _DOCS)
  if docs is not None:
    save(pathlib.Path(docs), name, record, written, plot)


def save(
    docs: pathlib.Path,
    name: str,
    record: Mapping[str, Any],
    written: Mapping[str, str],
    plot: Optional[Callable[[figure.Figure], None]] = None,
) -> None:
  """Writes <name>.json and <name>.png, and the tables into performance.md.

  Args:
    docs: The directory.
    name: See `finish`, as for all that follow.
    record: See `finish`.
    written: See `finish`.
    plot: See `finish`.
  """
  docs.mkdir(parents=True, exist_ok=True)
  (docs / f'{name}.json').write_text(json.dumps(record, indent=1) + '\n')
  document = docs / 'performance.md'
  if document.exists():
    for place, table in written.items():
      tables.insert(document, place, table)
  if plot is None:
    return
  picture = figure.Figure(figsize=(10, 4), layout='constrained')
  plot(picture)
  for axes in picture.axes:
    axes.grid(alpha=0.3)
    axes.spines[['top', 'right']].set_visible(False)
    for axis in (axes.xaxis, axes.yaxis):
      if axis.get_scale() == 'log':
        axis.set_major_formatter('{x:g}')
        axis.set_minor_formatter(ticker.LogFormatter(axis.get_transform().base))
  picture.savefig(docs / f'{name}.png', dpi=110)


def hlo_target() -> contextlib.AbstractContextManager:
  """Returns the context to make programs in that --hlo writes."""
  from r2i_tf import devices

  if HLO_DEVICE.value is None:
    return contextlib.nullcontext()
  return devices.compile_for(devices.Device(HLO_DEVICE.value))


def write_hlo(name: str, program: bytes) -> None:
  """Writes a serialized HLO module to <name>.hlo.pb under --hlo."""
  path = pathlib.Path(HLO.value) / f'{name}.hlo.pb'
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_bytes(program)
  print(f'{path}: {len(program):,} bytes', flush=True)


def machine() -> dict[str, Any]:
  """Returns what the figures depend on: processor, devices, versions, flags."""
  import tensorflow as tf

  accelerators = [
      tf.config.experimental.get_device_details(device).get('device_name', kind)
      for kind in ('GPU', 'TPU')
      for device in tf.config.list_physical_devices(kind)
  ]
  return {
      'processor': _processor(),
      'cores': len(os.sched_getaffinity(0)),
      'accelerators': accelerators,
      'tensorflow': tf.__version__,
      'environment': {
          name: os.environ[name] for name in _SETTINGS if name in os.environ
      },
  }


def machine_line(facts: Mapping[str, Any]) -> str:
  """Returns `machine()` as the sentence above a table."""
  devices = [f'{facts["processor"]}, {facts["cores"]} cores']
  devices += facts['accelerators']
  settings = [f'`{name}={it}`' for name, it in facts['environment'].items()]
  return (
      ', '.join(
          [f'{"; ".join(devices)}. TensorFlow {facts["tensorflow"]}', *settings]
      )
      + '.'
  )


def markdown(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
  """Returns a table; numbers right, with three significant digits."""
  right = [
      any(not isinstance(x, (str, type(None))) for x in c) for c in zip(*rows)
  ]
  lines = [
      header,
      ['---:' if is_right else '---' for is_right in right],
      *([cell(x) for x in row] for row in rows),
  ]
  return ''.join(f'| {" | ".join(line)} |\n' for line in lines)


def cell(value: Any) -> str:
  """Returns what a table shows of a value; nothing for None."""
  if value is None:
    return ''
  if isinstance(value, float):
    return f'{value:,.0f}' if 100 <= abs(value) < 1e9 else f'{value:.3g}'
  return f'{value:,}' if isinstance(value, int) else str(value)


def _processor() -> str:
  info = pathlib.Path('/proc/cpuinfo')
  found: Optional[re.Match] = None
  if info.exists():
    found = re.search(r'^model name\s*: (.*)$', info.read_text(), re.M)
  return found.group(1) if found else platform.machine()
