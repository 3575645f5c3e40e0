"""Public names of a package that are loaded on first use.

Who wants only a part of a package, such as its options, need not wait for
TensorFlow, which other parts import.
"""

from collections.abc import Mapping
import importlib
from typing import Any, Callable


def attributes(
    package: str, module_of: Mapping[str, str]
) -> Callable[[str], Any]:
  """Returns the `__getattr__` of a package (PEP 562).

  Args:
    package: The package's `__name__`.
    module_of: Public names to the modules that define them, relative to the
      package: 'loader' or 'pool.options'.
  """

  def load(name: str) -> Any:
    if name not in module_of:
      raise AttributeError(f'module {package!r} has no attribute {name!r}')
    module = importlib.import_module(f'{package}.{module_of[name]}')
    return getattr(module, name)

  return load
