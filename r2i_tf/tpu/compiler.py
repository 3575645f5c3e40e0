"""Hands the train step to `tpu_compiler`, and takes its answer."""

import json
import os
import pathlib
import signal
import subprocess
import sys
from typing import Any

from r2i_tf import errors
from r2i_tf.tpu import chips

_PROGRAM = pathlib.Path(__file__).with_name('tpu_compiler.py')


def compile_for_tpu(
    python: pathlib.Path, hlo: bytes, topology: str, replicas: int
) -> dict[str, Any]:
  """Returns the answer of the TPU compiler to a program; see `tpu_compiler`.

  Args:
    python: The Python that has JAX and libtpu.
    hlo: A serialized HloModuleProto.
    topology: Such as 'v5e:2x2'.
    replicas: How many chips of it run the program.

  Raises:
    errors.RunError: The compiler crashed; its messages have been printed.
  """
  options = [f'{key}={value}' for key, value in chips.chip(topology).options]
  process = subprocess.run(
      [str(python), '-I', str(_PROGRAM), topology, str(replicas), *options],
      input=hlo,
      capture_output=True,
      env={k: v for k, v in os.environ.items() if k != 'XLA_FLAGS'},
      check=False,
  )
  if process.returncode == 0:
    return json.loads(process.stdout)
  sys.stderr.write(process.stderr.decode(errors='replace'))
  if process.returncode == -signal.SIGKILL:
    raise errors.RunError(
        'the TPU compiler was killed, as happens when memory runs out: it takes'
        ' about 4 GiB; give it more.'
    )
  raise errors.RunError(
      f'the TPU compiler failed with code {process.returncode}; its messages'
      ' stand above.'
  )
