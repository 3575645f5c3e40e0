"""Skips tests that need MuJoCo, or images of it, where there are none."""

import pytest

from r2i_tf.environments import errors
from r2i_tf.environments import rendering

try:
  rendering.load_mujoco()
  _reason = rendering.failure()
  _reason = _reason and f'no images: {_reason}'
except (ModuleNotFoundError, errors.MissingSuiteError) as error:
  _reason = str(error)

needs_images = pytest.mark.skipif(_reason is not None, reason=str(_reason))
