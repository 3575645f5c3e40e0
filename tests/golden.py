"""Golden numbers: arrays that the published implementation computed.

They lie outside the repository, in the folder that the environment variable
R2I_GOLDEN_DIR names. A test that asks for them is skipped, with the reason,
where there is no such folder.
"""

import os
import pathlib

import numpy as np
import pytest

_DEFAULT = pathlib.Path(__file__).parents[2] / 'shared' / 'golden'


def load(name: str) -> dict[str, np.ndarray]:
  """The arrays of `<name>.npz`; skips the running test without the folder."""
  folder = pathlib.Path(os.environ.get('R2I_GOLDEN_DIR', _DEFAULT))
  if not folder.is_dir():
    pytest.skip(f'no golden numbers: {folder} is not a folder')
  with np.load(folder / f'{name}.npz', allow_pickle=False) as arrays:
    return dict(arrays)
