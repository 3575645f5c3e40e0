"""Programs of the tests that need a process, or several, of their own."""

import json
import os
import pathlib
import subprocess
import sys

from r2i_tf.roles import ports

_ROOT = pathlib.Path(__file__).parents[1]


def start(module, *arguments, **environment):
  """Starts a module of this checkout, on CPUs; its output is to be read."""
  path = os.pathsep.join([str(_ROOT), *filter(None, sys.path)])
  return subprocess.Popen(
      [sys.executable, '-m', module, *map(str, arguments)],
      cwd=_ROOT,
      env={
          **os.environ,
          'PYTHONPATH': path,
          'CUDA_VISIBLE_DEVICES': '',
          **environment,
      },
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
  )


def start_hosts(count, module, *arguments):
  """Starts a module once for each of several workers that find each other."""
  workers = [f'localhost:{ports.free_port(0)}' for _ in range(count)]
  return [
      start(
          module,
          *arguments,
          TF_CONFIG=json.dumps(
              {
                  'cluster': {'worker': workers},
                  'task': {'type': 'worker', 'index': index},
              }
          ),
      )
      for index in range(count)
  ]
