"""The program that runs where JAX is: a train step in, the compiler's word out.

libtpu holds the compiler for TPUs, and JAX hands it a program for a topology
that is only described, so no TPU is needed. JAX cannot be installed beside
TensorFlow 2.15, which needs an older NumPy, and libtpu is none of TensorFlow's
business on a machine without a TPU. This file is therefore run by the Python of
an environment of its own and imports nothing of r2i_tf:

  python -I tpu_compiler.py v5e:2x2 1 < step.hlo

The number is that of replicas. Where there are several, custom calls stand in
the program for what they exchange, and become the operations here.

It writes one JSON object to standard output. Everything that libtpu has to say
goes to standard error.
"""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import ctypes
import functools
import json
import math
import os
import re
import signal
import sys
import time
from typing import Any, Optional

_BYTES = {
    'argument_bytes': 'argument_size_in_bytes',
    'output_bytes': 'output_size_in_bytes',
    'alias_bytes': 'alias_size_in_bytes',
    'temporary_bytes': 'temp_size_in_bytes',
    'code_bytes': 'generated_code_size_in_bytes',
}
# Of an optimised module; one that is split is counted where it starts.
_EXCHANGES = r' (?:all-reduce|all-gather)(?:-start)?\('
# The instructions that pass their operand on.
_COPIES = ('kCopy', 'kCopyStart', 'kCopyDone', 'kBitcast')


def main() -> None:
  """Compiles the program that comes on standard input."""
  # Ends with the program that started it, however that one ends.
  ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
  answer = os.dup(1)
  os.dup2(2, 1)
  os.environ.update(
      JAX_PLATFORMS='cpu',
      TPU_SKIP_MDS_QUERY='1',  # Asks the cloud which TPU this machine has.
      TPU_LOG_DIR='disabled',
      # Else another program that uses libtpu, without a TPU too, is in the way.
      ALLOW_MULTIPLE_LIBTPU_LOAD='1',
  )
  topology, replicas, *options = sys.argv[1:]
  result = _compile(
      sys.stdin.buffer.read(),
      topology,
      int(replicas),
      dict(o.split('=', 1) for o in options),
  )
  with os.fdopen(answer, 'w', encoding='utf-8') as file:
    json.dump(result, file)


def _compile(
    hlo: bytes, topology: str, replicas: int, options: dict[str, str]
) -> dict[str, Any]:
  """Compiles `hlo`, an HloModuleProto, for the first devices of a topology."""
  import jax
  from jax._src.interpreters import mlir
  from jax.experimental import topologies
  from jaxlib import _jax
  from jaxlib import xla_client
  from jaxlib.mlir import ir
  import numpy as np

  described = topologies.get_topology_desc(
      platform='tpu', topology_name=topology, **options
  )
  devices = tuple(described.devices[:replicas])
  settings = xla_client.CompileOptions()
  settings.num_replicas, settings.num_partitions = replicas, 1
  build = settings.executable_build_options
  build.num_replicas, build.num_partitions = replicas, 1
  build.device_assignment = xla_client.DeviceAssignment.create(
      np.array([[device.id] for device in devices])
  )
  with mlir.make_ir_context():
    module = ir.Module.parse(_jax.mlir.hlo_to_stablehlo(hlo))
    _drop_copies(module, ir)
    _put_in_exchanges(module, ir, replicas)
    start = time.monotonic()
    try:
      executable = devices[0].client.compile(
          module, xla_client.DeviceList(devices), settings
      )
    except jax.errors.JaxRuntimeError as error:
      return {
          'refused': str(error),
          'compile_seconds': time.monotonic() - start,
      }
    seconds = time.monotonic() - start
  memory = executable.get_compiled_memory_stats()
  cost = executable.cost_analysis()
  try:
    [optimized] = executable.hlo_modules()
    counted = _counted(optimized.to_string())
  except jax.errors.JaxRuntimeError as error:
    # A program for v6e can have operations that JAX does not read.
    print(f'the program cannot be read: {error}', file=sys.stderr)
    counted = dict.fromkeys(('exchanges', 'repeated_flops', 'repeated_bytes'))
  return {
      'device': devices[0].device_kind,
      'compile_seconds': seconds,
      **{name: getattr(memory, theirs) for name, theirs in _BYTES.items()},
      'flops': cost['flops'],
      'bytes_accessed': cost['bytes accessed'],
      **counted,
  }


def _counted(text: str) -> dict[str, Optional[float]]:
  """Returns what is counted in an optimised module."""
  return {'exchanges': len(re.findall(_EXCHANGES, text)), **_repeated(text)}


def _drop_copies(module: Any, ir: Any) -> None:
  """Removes `mhlo.copy`, an identity that StableHLO has no operation for."""
  copies = []

  def visit(operation: Any) -> Any:
    if operation.name == 'mhlo.copy':
      copies.append(operation)
    return ir.WalkResult.ADVANCE

  module.operation.walk(visit)
  for operation in copies:
    operation.results[0].replace_all_uses_with(operation.operands[0])
    operation.erase()


def _put_in_exchanges(module: Any, ir: Any, replicas: int) -> None:
  """Replaces the custom calls that stand for exchanges between replicas.

  Args:
    module: A StableHLO module.
    ir: The bindings of MLIR.
    replicas: How many there are.
  """
  from jaxlib.mlir.dialects import stablehlo
  import numpy as np

  groups = ir.DenseIntElementsAttr.get(np.arange(replicas)[np.newaxis])

  def index(result: Any) -> Any:
    number = stablehlo.ReplicaIdOp()
    return stablehlo.ConvertOp(result, number)

  def gather(result: Any, x: Any) -> Any:
    return stablehlo.AllGatherOp([result], [x], 0, groups)

  def add(result: Any, x: Any) -> Any:
    operation = stablehlo.AllReduceOp([result], [x], groups)
    scalar = ir.RankedTensorType.get([], result.element_type)
    block = operation.computation.blocks.append(scalar, scalar)
    with ir.InsertionPoint(block):
      stablehlo.ReturnOp([stablehlo.AddOp(*block.arguments)])
    return operation

  exchanges: dict[str, Callable[..., Any]]
  exchanges = {'r2i.index': index, 'r2i.gather': gather, 'r2i.add': add}
  calls = []

  def visit(operation: Any) -> Any:
    if operation.name == 'stablehlo.custom_call':
      target = ir.StringAttr(operation.attributes['call_target_name']).value
      if target in exchanges:
        calls.append((exchanges[target], operation))
    return ir.WalkResult.ADVANCE

  module.operation.walk(visit)
  for exchange, call in calls:
    [result] = call.results
    with ir.InsertionPoint(call), call.location:
      new = exchange(ir.RankedTensorType(result.type), *call.operands)
    result.replace_all_uses_with(new.result)
    call.erase()


def _repeated(text: str) -> dict[str, Optional[float]]:
  """Returns operations and bytes of an optimised module, every iteration in it.

  The counts are XLA's own. Of operations the TPU's compiler gives the same, of
  bytes it gives more: it counts the tiles that arrays are padded to.

  Args:
    text: The module.
  """
  import jax
  from jaxlib import _hlo
  from jaxlib import _jax

  client = jax.devices('cpu')[0].client
  _, rest = text.split('\n', 1)  # The first line describes the whole's entry.
  rest = re.sub(r'^ENTRY ', '', rest, flags=re.M)

  @functools.cache
  def analysis(name: str) -> Any:
    alone = re.sub(rf'^(?=%{re.escape(name)} \()', 'ENTRY ', rest, flags=re.M)
    part = _hlo.hlo_module_from_text(f'HloModule {name}\n{alone}')
    return _jax.hlo_module_cost_analysis(client, part)

  module = _hlo.hlo_module_from_text(text)
  computations = {c.name: c.instructions() for c in module.computations()}
  entry = _found(r'^ENTRY %(\S+)', text, re.M)
  result: dict[str, Optional[float]] = {}
  for name, theirs in (('flops', 'flops'), ('bytes', 'bytes accessed')):

    def count(computation: str, key: str = theirs) -> float:
      return analysis(computation)[key]

    total = repeated(entry, computations, count)
    # JSON has no NaN.
    result[f'repeated_{name}'] = None if math.isnan(total) else total
  return result


def repeated(
    entry: str,
    computations: Mapping[str, Sequence[Any]],
    count: Callable[[str], float],
) -> float:
  """Returns the count of a program, every iteration of its loops counted.

  Args:
    entry: The name of the computation that is run.
    computations: The instructions of every computation, by its name.
    count: Name to a count in which the body of a loop is counted once.

  Returns:
    The count; NaN where it is unknown how often a loop runs.
  """
  seen = set()

  def left_out(name: str) -> float:
    total = 0.0
    for loop in computations[name]:
      if _kind(loop) != 'kWhile':
        continue
      seen.add(loop.name)
      body, condition = _called(loop, 'body'), _called(loop, 'condition')
      once, inside = count(body) + count(condition), left_out(body)
      times = iterations(loop, computations)
      if times is None:
        total += 0.0 if once == 0 else float('nan')
      else:
        total += (times - 1) * once + times * inside
    return total

  total = count(entry) + left_out(entry)
  loops = {
      instruction.name
      for instructions in computations.values()
      for instruction in instructions
      if _kind(instruction) == 'kWhile'
  }
  # Of a loop in a branch nobody knows whether it is run.
  return total if loops == seen else float('nan')


def iterations(
    loop: Any, computations: Mapping[str, Sequence[Any]]
) -> Optional[int]:
  """Returns how often a `while` runs, if it counts up to a known number.

  Args:
    loop: The instruction.
    computations: The instructions of every computation, by its name.
  """
  test = _root(computations[_called(loop, 'condition')])
  if _kind(test) != 'kCompare' or 'direction=LT' not in test.to_string():
    return None
  counter, bound = test.operands()
  index = _part(counter)
  if index is None:
    return None
  stop, bound_index = _constant(bound), _part(bound)
  if stop is None and bound_index is not None:
    start, step = _progression(loop, bound_index, computations)
    stop = start if step == 0 else None
  start, step = _progression(loop, index, computations)
  if start is None or stop is None or not step or step < 0:
    return None
  return max(0, -((start - stop) // step))


def _progression(
    loop: Any, index: int, computations: Mapping[str, Sequence[Any]]
) -> tuple[Optional[int], Optional[int]]:
  """Returns the start of a part of the state, and its growth an iteration."""
  [initial] = loop.operands()
  state = _root(computations[_called(loop, 'body')])
  if _kind(initial) != 'kTuple' or _kind(state) != 'kTuple':
    return None, None
  start = _value(initial.operands()[index], computations)
  new = _source(state.operands()[index])
  if _part(new) == index:
    return start, 0
  if _kind(new) != 'kAdd' or index not in map(_part, new.operands()):
    return start, None
  steps = [x for x in map(_constant, new.operands()) if x is not None]
  return start, steps[0] if steps else None


def _value(
    instruction: Any, computations: Mapping[str, Sequence[Any]]
) -> Optional[int]:
  """Returns a constant, or the number that an earlier loop has made of one."""
  source = _source(instruction)
  if _kind(source) != 'kGetTupleElement':
    return _constant(source)
  [loop] = source.operands()
  if _kind(loop) != 'kWhile':
    return None
  # The loop of a gradient runs as often as the one forward has counted.
  start, step = _progression(loop, _index(source), computations)
  times = iterations(loop, computations)
  if start is None or step is None or times is None:
    return None
  return start + step * times


def _kind(instruction: Any) -> str:
  return str(instruction.opcode).rpartition('.')[2]


def _called(loop: Any, role: str) -> str:
  return _found(rf'{role}=%([^,\s]+)', loop.to_string())


def _root(instructions: Any) -> Any:
  return [i for i in instructions if not i.users()][-1]


def _source(instruction: Any) -> Any:
  while _kind(instruction) in _COPIES:
    instruction = instruction.operands()[0]
  return instruction


def _constant(instruction: Any) -> Optional[int]:
  instruction = _source(instruction)
  match = re.search(r' constant\((-?\d+)\)', instruction.to_string())
  return int(match[1]) if match and _kind(instruction) == 'kConstant' else None


def _index(element: Any) -> int:
  return int(_found(r', index=(\d+)', element.to_string()))


def _found(pattern: str, text: str, flags: int = 0) -> str:
  """Returns the group of the first match of a pattern that must match."""
  match = re.search(pattern, text, flags)
  if match is None:
    raise ValueError(f'the module has no {pattern!r}')
  return match[1]


def _part(instruction: Any) -> Optional[int]:
  """Returns which part of its computation's argument an instruction is."""
  source = _source(instruction)
  if _kind(source) != 'kGetTupleElement':
    return None
  return _index(source) if _kind(source.operands()[0]) == 'kParameter' else None


if __name__ == '__main__':
  main()
