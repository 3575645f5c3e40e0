"""Errors of libraries in one line."""

import pytest

from r2i_tf import errors


class _OpError(Exception):
  """Has its text where TensorFlow's has it."""

  def __init__(self, message):
    super().__init__()
    self.message = message


@pytest.mark.parametrize(
    'error, expected',
    [
        (OSError(28, 'No space left on device'), 'No space left on device'),
        (
            _OpError(
                '{{function_node __wrapped__SaveV2_dtypes_112_device_/cpu:0}}'
                ' /runs/a b/part-0.tempstate518; No space left on device'
                ' [Op:SaveV2]'
            ),
            'No space left on device',
        ),
        (
            _OpError('shapes differ; [2] and [3]\nat a:0'),
            'shapes differ; [2]' ' and [3]',
        ),
        (KeyError('sizes'), "'sizes'"),
        (ValueError(), 'ValueError()'),
    ],
)
def test_the_reason_is_left(error, expected):
  """Without the operation and the temporary file that TensorFlow names."""
  assert errors.first_line(error) == expected
