"""The report on a configuration: whether it fits, its needs, the remedies."""

from collections.abc import Mapping
import dataclasses
import math
import re
from typing import Any, Optional

from r2i_tf import errors
from r2i_tf import run_config
from r2i_tf.record import progress
from r2i_tf.tpu import remedies

# 'the total memory required for HLO temporaries (78.18G) exceeds available HBM
# (15.75G)', where temporaries are everything; or, elsewhere in the compiler,
# 'Used 20.24G of 15.75G hbm.'
_EXHAUSTED = (
    r'required[^(]*\(([\d.]+)([KMGT]?)\) exceeds available HBM'
    r' \(([\d.]+)([KMGT]?)\)',
    r'Used ([\d.]+)([KMGT]?) of ([\d.]+)([KMGT]?) hbm',
)


@dataclasses.dataclass(frozen=True)
class Memory:
  """High-bandwidth memory by part, in bytes.

  Attributes:
    arguments: The variables and one batch.
    outputs: The results, but for the variables, which stay where they are.
    temporaries: The arrays between the two, activations above all.
    code: The compiled program.
  """

  arguments: int
  outputs: int
  temporaries: int
  code: int

  @property
  def all(self) -> int:
    """The parts together."""
    return self.arguments + self.outputs + self.temporaries + self.code


@dataclasses.dataclass(frozen=True)
class Cost:
  """The work of one train step, by the compiler's count.

  Attributes:
    flops: Floating point operations, with the body of every loop counted once,
      as XLA counts. Imagination is a loop of `horizon` iterations.
    repeated_flops: The same with every iteration counted; None where it is
      unknown how often a loop runs, or what the compiler has made of it.
    bytes_accessed: Bytes read and written, with the body of every loop counted
      once. Memory on the chip is in it, and so is the padding of arrays.
    repeated_bytes: The same with every iteration counted, but without padding;
      None as before.
    exchanges: How often the replicas exchange something; None as before.
  """

  flops: float
  repeated_flops: Optional[float]
  bytes_accessed: float
  repeated_bytes: Optional[float]
  exchanges: Optional[int]


@dataclasses.dataclass(frozen=True)
class Report:
  """The TPU compiler's answer about one train step on one chip.

  Attributes:
    task: The environment's name.
    topology: Such as 'v5e:2x2'.
    replicas: How many chips share a batch.
    batch_size: Sequences of a batch on one chip.
    sequence_length: Steps in a sequence.
    fits: Whether the chip's memory suffices.
    needed_bytes: The memory that is needed; rounded to a hundredth of its unit
      where `memory` is None.
    available_bytes: The memory that there is.
    memory: The memory by part; None where the compiler gave up for lack of it.
    cost: The work of the step; None as for `memory`.
    trace_seconds: How long it took to trace the step.
    compile_seconds: How long the TPU compiler took.
    shrinkable: Fields of the configuration that would make the step smaller, as
      (name, value), those first that change the learning least; empty if it
      fits.
  """

  task: str
  topology: str
  replicas: int
  batch_size: int
  sequence_length: int
  fits: bool
  needed_bytes: int
  available_bytes: int
  memory: Optional[Memory]
  cost: Optional[Cost]
  trace_seconds: float
  compile_seconds: float
  shrinkable: tuple[tuple[str, Any], ...]


def make(
    config: run_config.RunConfig,
    has_images: bool,
    topology: str,
    replicas: int,
    available_bytes: int,
    trace_seconds: float,
    answer: Mapping[str, Any],
) -> Report:
  """Returns the report of the compiler's answer.

  Args:
    config: The run.
    has_images: Whether a part of the observation is an image.
    topology: The TPUs that it was compiled for.
    replicas: How many of them share a batch.
    available_bytes: The memory of a chip.
    trace_seconds: How long it took to trace the step.
    answer: As `tpu_compiler` gives it.

  Raises:
    errors.RunError: The compiler refused for another reason than memory.
  """
  memory, cost = None, None
  if 'refused' in answer:
    needed, available_bytes = _exhausted(answer['refused'])
    fits = False
  else:
    memory = Memory(
        answer['argument_bytes'],
        answer['output_bytes'] - answer['alias_bytes'],
        answer['temporary_bytes'],
        answer['code_bytes'],
    )
    cost = Cost(
        answer['flops'],
        answer['repeated_flops'],
        answer['bytes_accessed'],
        answer['repeated_bytes'],
        answer['exchanges'],
    )
    needed = memory.all
    fits = needed <= available_bytes
  return Report(
      task=config.task,
      topology=topology,
      replicas=replicas,
      batch_size=config.replay.batch_size // replicas,
      sequence_length=config.replay.sequence_length,
      fits=fits,
      needed_bytes=needed,
      available_bytes=available_bytes,
      memory=memory,
      cost=cost,
      trace_seconds=trace_seconds,
      compile_seconds=answer['compile_seconds'],
      shrinkable=() if fits else remedies.fields(config, has_images),
  )


def describe(report: Report) -> str:
  """Returns the report as a person reads it."""
  return '\n'.join([*_verdict(report), *_parts(report), *_help(report)])


_UNITS = {'': 1, 'K': 2**10, 'M': 2**20, 'G': 2**30, 'T': 2**40}


def _exhausted(message: str) -> tuple[int, int]:
  """Returns the bytes needed and available of RESOURCE_EXHAUSTED."""
  for pattern in _EXHAUSTED:
    match = re.search(pattern, message)
    if match:
      needed, unit, available, of_unit = match.groups()
      return (
          round(float(needed) * _UNITS[unit]),
          round(float(available) * _UNITS[of_unit]),
      )
  first = message.strip().splitlines()[0].rstrip('.')
  raise errors.RunError(f'the TPU compiler refuses the train step: {first}.')


def _verdict(report: Report) -> list[str]:
  needed, available = report.needed_bytes, report.available_bytes
  chip = 'one chip'
  if report.replicas > 1:
    chip = f'each of {report.replicas} chips'
  lines = [
      f'{report.task}: one train step of {report.batch_size} x'
      f' {report.sequence_length} steps on {chip} of {report.topology}',
      f'it {"fits" if report.fits else "does not fit"}: it needs'
      f' {_size(needed)} of {_size(available)}',
  ]
  if report.fits:
    return [*lines, f'left over: {_size(available - needed)}']
  over = needed - available
  # Without the parts the compiler rounds the whole to hundredths.
  about = '' if report.memory else 'about '
  return [*lines, f'too much by: {_size(over)}, {about}{over:,} bytes']


def _parts(report: Report) -> list[str]:
  seconds = [
      _line('tracing', progress.duration(report.trace_seconds)),
      _line('TPU compiler', progress.duration(report.compile_seconds)),
  ]
  memory, cost = report.memory, report.cost
  if memory is None or cost is None:
    # Then the compiler tells neither parts nor exact bytes.
    return ['', 'time', *seconds]
  once = 'the body of a loop counted once'
  return [
      '',
      'memory (HBM)',
      _line('arguments', _size(memory.arguments), 'variables, one batch'),
      _line('outputs', _size(memory.outputs), 'those that are not aliased'),
      _line('temporaries', _size(memory.temporaries)),
      _line('code', _size(memory.code)),
      _line('all', _size(memory.all), f'{memory.all:,} bytes'),
      '',
      'one train step',
      _line('operations', _count(cost.flops), once),
      _line('', _count(cost.repeated_flops), 'every iteration counted'),
      _line('accessed', _size(cost.bytes_accessed), once),
      _line('', _size(cost.repeated_bytes), 'every iteration, no padding'),
      _line('exchanges', _number(cost.exchanges), 'between replicas'),
      '',
      'time',
      *seconds,
  ]


def _help(report: Report) -> list[str]:
  if not report.shrinkable:
    return []
  fields = [
      (name, str(getattr(value, 'value', value)))
      for name, value in report.shrinkable
  ]
  widths = [max(map(len, column)) for column in zip(*fields)]
  return [
      '',
      'Fields that make it smaller, as they are now; those that change the',
      'learning least come first, and --config.<field>=<value> tries another'
      ' value:',
      *(
          f'  {name:{widths[0]}}  {value:{widths[1]}}  {remedies.REMARKS[name]}'
          for name, value in fields
      ),
  ]


def _line(name: str, amount: str, remark: str = '') -> str:
  return f'  {name:12} {amount:>12}  {remark}'.rstrip()


def _number(count: Optional[int]) -> str:
  return 'unknown' if count is None else str(count)


def _size(amount: Optional[float]) -> str:
  if amount is None:
    return 'unknown'
  for unit, name in ((2**30, 'GiB'), (2**20, 'MiB'), (2**10, 'KiB')):
    if amount >= unit:
      return f'{amount / unit:,.2f} {name}'
  return f'{amount:.0f} bytes'


def _count(amount: Optional[float]) -> str:
  """Returns 1.66e12 as '1.66 T'."""
  if amount is None:
    return 'unknown'
  power = min(4, int(math.log10(max(amount, 1)) // 3))
  return (
      f'{amount / 1000**power:.2f} {["", "k", "M", "G", "T"][power]}'.rstrip()
  )
