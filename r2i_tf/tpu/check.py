"""Whether a configuration's train step fits a TPU, asked of its compiler.

task -> specs -> agent -> the train step's HLO -> TPU compiler -> report
"""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
import contextlib
import functools
import sys
import time
from typing import Any, Optional

import tensorflow as tf
from tf_agents.specs import tensor_spec

from r2i_tf import devices
from r2i_tf import errors
from r2i_tf import files
from r2i_tf import quiet
from r2i_tf import run_config
from r2i_tf import schema
from r2i_tf import specs
from r2i_tf.tpu import chips
from r2i_tf.tpu import compiler
from r2i_tf.tpu import installation
from r2i_tf.tpu import report as report_lib
from r2i_tf.training import parts as parts_lib
from r2i_tf.training import workdir as workdir_lib

Compiler = Callable[[bytes, str, int], Mapping[str, Any]]


def check(
    config: run_config.RunConfig,
    topology: str,
    workdir: str,
    replicas: int = 1,
    parts: parts_lib.RunParts = parts_lib.R2I_PARTS,
    compile_for_tpu: Optional[Compiler] = None,
) -> report_lib.Report:
  """Compiles the train step for one chip; no TPU is needed.

  Args:
    config: The run.
    topology: Such as 'v5e:2x2'.
    workdir: Gets `preflight.json`, and on first use the compiler.
    replicas: How many chips share a batch; the program is that of one of them,
      with what they exchange.
    parts: Agent and environments.
    compile_for_tpu: (HLO, topology, replicas) to an answer as `tpu_compiler`
      gives it, which is asked by default.

  Raises:
    errors.RunError: `topology`, `workdir` or `replicas` cannot be used, or the
      compiler cannot be installed or fails.
    environments.UnknownTaskError: There is no such task.
    specs.UnsupportedSpecError: The agent cannot act in it.
  """
  chip = chips.chip(topology)
  _check_replicas(replicas, config.replay.batch_size, topology)
  paths = workdir_lib.Workdir(workdir)
  paths.check_writable()
  record = paths.path / 'preflight.json'
  record.unlink(missing_ok=True)  # Whatever happens, none of another question.
  with _as_on_tpu():
    agent = _agent(config, parts)
  paths.path.mkdir(parents=True, exist_ok=True)
  if compile_for_tpu is None:
    python = installation.ensure(paths.path / 'cache' / 'tpu_compiler', _note)
    compile_for_tpu = functools.partial(compiler.compile_for_tpu, python)
  sequences = config.replay.batch_size // replicas
  length = config.replay.sequence_length
  _note(f'tracing the train step for batches of {sequences} x {length} steps')
  start = time.monotonic()
  with _as_on_tpu():
    hlo = agent.train_step_hlo(sequences, length, replicas)
  trace_seconds = time.monotonic() - start
  _note(
      f'compiling it for {topology} with the TPU compiler, which takes a minute'
      ' for a small model and ten for a large one'
  )
  observation = tf.nest.flatten(agent.time_step_spec.observation)
  report = report_lib.make(
      config,
      any(specs.is_image(spec.shape, spec.dtype) for spec in observation),
      topology,
      replicas,
      chip.available_bytes,
      trace_seconds,
      compile_for_tpu(hlo, topology, replicas),
  )
  files.write_json(
      record,
      {
          **schema.to_mapping(report),
          'config': schema.to_mapping(config),
          'compiler': installation.REQUIREMENTS,
      },
  )
  return report


def _check_replicas(replicas: int, batch_size: int, topology: str) -> None:
  most = chips.count(topology)
  if not 1 <= replicas <= most:
    raise errors.RunError(
        f'--replicas is {replicas}, but {topology} has chips for 1 to {most}.'
    )
  if batch_size % replicas:
    raise errors.RunError(
        f'--replicas is {replicas}, which does not divide replay.batch_size ='
        f' {batch_size}.'
    )


@contextlib.contextmanager
def _as_on_tpu() -> Iterator[None]:
  """Has a trace inside give one program for a TPU, on any machine."""
  with tf.device('/device:CPU:0'), devices.compile_for(devices.Device.TPU):
    yield


def _agent(config: run_config.RunConfig, parts: parts_lib.RunParts) -> Any:
  """Returns the agent, for its `train_step_hlo`."""
  quiet.first_compilation()
  with contextlib.closing(
      parts.load(config.task, config.seed, config.environment)
  ) as environment:
    return parts.build_agent(
        tensor_spec.from_spec(environment.time_step_spec()),
        tensor_spec.from_spec(environment.action_spec()),
        config,
        tf.Variable(0, dtype=tf.int64, trainable=False),
    )


def _note(text: str) -> None:
  print(text, file=sys.stderr, flush=True)
