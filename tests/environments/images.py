"""Tests of images that MuJoCo renders: skipped where it cannot, run apart."""

import importlib.util
import subprocess
import sys

import cloudpickle
import pytest

from r2i_tf.environments import rendering

if importlib.util.find_spec('dm_control') is None:
  _reason = 'dm_control is not installed'
else:
  _reason = rendering.failure_elsewhere('this test')

needs_images = pytest.mark.skipif(_reason is not None, reason=str(_reason))

_PROGRAM = (
    'import sys; sys.path[:] = sys.argv[1:]; import cloudpickle\n'
    'function, arguments = cloudpickle.load(sys.stdin.buffer)\n'
    'result = function(*arguments)\n'
    'assert "tensorflow" not in sys.modules\n'
    'sys.stdout.buffer.write(cloudpickle.dumps(result))'
)


def apart(function, *arguments):
  """Returns what a function returns in a process that has no TensorFlow."""
  cloudpickle.register_pickle_by_value(sys.modules[function.__module__])
  ended = subprocess.run(
      [sys.executable, '-c', _PROGRAM, *sys.path],
      input=cloudpickle.dumps((function, arguments)),
      capture_output=True,
  )
  assert ended.returncode == 0, ended.stderr.decode()
  return cloudpickle.loads(ended.stdout)
