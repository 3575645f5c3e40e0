"""TensorFlow beneath this package: the one place that tells stacks apart.

Two stacks are tested (docs/install.md). The classic one is TensorFlow 2.15 with
Keras 2.15, for which TF-Agents 0.19 was made. The current one is the newest
TensorFlow, whose own Keras is Keras 3; TF-Agents is built on Keras 2, which
goes on as the package tf-keras. No other module asks for a version.
"""

import importlib.metadata
import importlib.util
import os
import sys
from typing import Optional

from r2i_tf import errors

_VARIABLE = 'TF_USE_LEGACY_KERAS'
_YES = ('1', 'true', 'True')  # What TensorFlow takes for one.
_MINOR = sys.version_info.minor
_ALONE = 'pip install --no-deps'


class StackError(errors.UserError, ImportError):
  """Packages that cannot work together, or that are missing."""


def use_keras_2() -> None:
  """Has `tf.keras` be Keras 2, in this process and in those it starts.

  TensorFlow chooses at the first use of `tf.keras`, by an environment variable,
  but reads it while it loads, too, to say where `tensorflow.keras` is imported
  from. Where TensorFlow came first, that place is set right here. Nothing is
  done on the classic stack.

  Raises:
    StackError: Keras 3 is in use, the variable says so, or there is no Keras 2.
  """
  if not _keras_3_is_installed():
    return
  value = os.environ.get(_VARIABLE)
  if value is not None and value not in _YES:
    raise StackError(
        f'{_VARIABLE} is {value!r}, but TF-Agents needs Keras 2: unset it, or'
        ' set it to 1.'
    )
  if importlib.util.find_spec('tf_keras') is None:
    raise StackError(
        'Keras 3 is installed and Keras 2 is not, which TF-Agents needs: run'
        ' `pip install tf-keras` for the version that TensorFlow has, such as'
        ' `pip install tf-keras==2.21.0`.'
    )
  os.environ[_VARIABLE] = '1'
  if value is None and 'tensorflow' in sys.modules:
    _redirect_imports()
    model = sys.modules['tensorflow'].keras.Model
    if model.__module__.partition('.')[0] != 'tf_keras':
      raise StackError(
          'tf.keras was used before r2i_tf was imported, so it is Keras 3, but'
          ' TF-Agents needs Keras 2: import r2i_tf first, or start Python with'
          f' {_VARIABLE}=1 in its environment.'
      )


def _redirect_imports() -> None:
  """Has `import tensorflow.keras` find Keras 2, with TensorFlow loaded."""
  old, new = (os.path.join(os.sep, k, 'api', '') for k in ('keras', 'tf_keras'))
  for name, module in list(sys.modules.items()):
    if name.partition('.')[0] == 'tensorflow' and hasattr(module, '__path__'):
      module.__path__ = [path.replace(old, new) for path in module.__path__]


def require_tf_agents() -> None:
  """Checks that TensorFlow and TF-Agents are installed.

  Raises:
    StackError: One is not; the sentence says how to install it.
  """
  if importlib.util.find_spec('tensorflow') is None:
    raise StackError(
        "TensorFlow is not installed: run `pip install 'r2i_tf[cpu]'`, or gpu"
        ' or tpu for cpu.'
    )
  if importlib.util.find_spec('tf_agents') is None:
    # Its own requirements, of 2023, rule out Python 3.12.
    raise StackError(
        f'TF-Agents is not installed: run `{_ALONE} tf-agents==0.19.0`.'
    )


def require_reverb() -> None:
  """Checks that Reverb is installed.

  Raises:
    StackError: It is not; the sentence says how to come by it.
  """
  if importlib.util.find_spec('reverb') is None:
    raise StackError(
        'replay.kind = reverb needs Reverb, which has releases for the classic'
        ' stack alone, TensorFlow 2.15 on Python 3.9 to 3.11 (docs/install.md):'
        " run `pip install 'r2i_tf[reverb]'` there."
    )


def remedy(extra: str, first: int, last: int, alone: str = '') -> str:
  """Returns the clause that says how to install the packages of an extra.

  Args:
    extra: The extra of r2i_tf.
    first: The first Python 3 that all its packages have releases for.
    last: The last one.
    alone: A package that from Python 3.13 on has to be installed without its
      requirements, as pip takes it.
  """
  if not first <= _MINOR <= last:
    return (
        f'they have releases for Python 3.{first} to 3.{last} only, and this is'
        f' Python 3.{_MINOR}'
    )
  command = f"pip install 'r2i_tf[{extra}]'"
  if alone and _MINOR >= 13:
    return f'run `{command}` and `{_ALONE} {alone}`'
  return f'run `{command}`'


def tensorflow_that_keeps_programs() -> Optional[str]:
  """Returns the version of a TensorFlow whose cache of programs works on CPUs.

  Returns:
    None on the classic stack, whose TensorFlow keeps what XLA has compiled, but
    cannot load it again.
  """
  if not _keras_3_is_installed():
    return None
  for name in ('tensorflow', 'tensorflow-cpu'):
    try:
      return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
      pass
  return None


def _keras_3_is_installed() -> bool:
  try:
    return int(importlib.metadata.version('keras').split('.')[0]) >= 3
  except importlib.metadata.PackageNotFoundError:
    return False
