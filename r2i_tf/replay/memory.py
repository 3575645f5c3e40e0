"""Whether the replay of a run fits into the memory of the machine.

TF-Agents' replay buffer fills its whole table with zeros when it is built, and
the system hands over every page of it then (measured: 1 GB of table, 1 GB
resident before the first step). A capacity that does not fit ends in a kill
without a word, some minutes later; here it is refused before.
"""

import pathlib
from typing import Iterable, Iterator, Optional, Tuple

import numpy as np
import psutil
import tensorflow as tf

from r2i_tf import errors
from r2i_tf import run_config

# What the replay may take of the memory that is free once environments and
# agent are there. The rest is for the train step (its arrays, where there is no
# accelerator, and its compilation), for batches and for what environments come
# to need.
_SHARE = 0.8
_ID_BYTES = 8  # The replay numbers its steps.


def check_replay(
    data_spec, config: run_config.RunConfig, available: Optional[int] = None
) -> str:
  """Refuses a replay that does not fit.

  Args:
    data_spec: A nest of tensor specs, of what is kept of one step.
    config: The run.
    available: Bytes of free memory; by default as `available_bytes` finds them.

  Returns:
    A line for the user: what the replay will take, and of how much.

  Raises:
    errors.RunError: It does not fit; the sentence says what would.
  """
  if available is None:
    available = available_bytes()
  step = step_bytes(data_spec)
  # As the buffer has it: the same number of steps for each environment.
  streams = config.parallel_environments
  capacity = config.replay.capacity // streams * streams
  largest = int(_SHARE * available) // step
  if capacity > largest:
    raise errors.RunError(
        f'replay.capacity is {config.replay.capacity:,} steps of {step:,}'
        f' bytes, {_size(capacity * step)}, but the replay may take'
        f' {_SHARE:.0%} of the {_size(available)} of memory available; set it'
        f' to {_rounded_down(largest)} or less, or train where there is more'
        ' memory.'
    )
  return (
      f"the replay's {capacity:,} steps of {step:,} bytes take"
      f' {_size(capacity * step)} of the {_size(available)} of memory available'
  )


def step_bytes(data_spec) -> int:
  """Returns what the replay takes for each step, in bytes."""
  return _ID_BYTES + sum(
      int(np.prod(spec.shape)) * spec.dtype.size
      for spec in tf.nest.flatten(data_spec)
  )


def available_bytes(root: pathlib.Path = pathlib.Path('/')) -> int:
  """Returns how much memory this process can still get without swapping.

  That is what the machine has, or less where a container or a scheduler has
  given the process a limit: the control groups of Linux, of either version.

  Args:
    root: Where /proc and /sys are.
  """
  available = psutil.virtual_memory().available
  return max(0, min([available, *_left_in_groups(root)]))


def _left_in_groups(root: pathlib.Path) -> Iterator[int]:
  """Yields what each control group with a limit has left."""
  for folder, limit, usage, inactive in _group_files(root):
    try:
      left = int((folder / limit).read_text()) - int(
          (folder / usage).read_text()
      )
      statistics = (folder / 'memory.stat').read_text().split()
    except (OSError, ValueError):
      continue  # No such group here, or no limit: it is 'max' then.
    # Files that were read lie in memory until it is needed; they count as used.
    names = dict(zip(statistics[::2], statistics[1::2]))
    yield left + int(names.get(inactive, 0))


def _group_files(
    root: pathlib.Path,
) -> Iterable[Tuple[pathlib.Path, str, str, str]]:
  """Yields (folder, limit file, usage file, entry of memory.stat)."""
  try:
    lines = (root / 'proc/self/cgroup').read_text().splitlines()
  except OSError:
    return  # Not Linux.
  mount = root / 'sys/fs/cgroup'
  for line in lines:
    _, controllers, path = line.split(':', 2)
    if not controllers:
      top = mount
      files = ('memory.max', 'memory.current', 'inactive_file')
    elif 'memory' in controllers.split(','):
      top = mount / 'memory'
      files = (
          'memory.limit_in_bytes',
          'memory.usage_in_bytes',
          'total_inactive_file',
      )
    else:
      continue
    # A limit of a group holds for those below it. Within a container the path
    # may be that of the host; its own group is then at the top.
    folder = top / path.strip('/')
    while folder != top:
      yield (folder, *files)
      folder = folder.parent
    yield (top, *files)


def _size(count: int) -> str:
  """Returns bytes as '12.3 GB'."""
  for unit, name in ((1e12, 'TB'), (1e9, 'GB'), (1e6, 'MB')):
    if count >= unit:
      return f'{count / unit:.1f} {name}'
  return f'{count / 1e3:.1f} kB'


def _rounded_down(count: int) -> str:
  """Returns a number with two digits that count.

  What is available differs a little from one start to the next.
  """
  unit = 10 ** max(0, len(str(count)) - 2)
  return f'{count // unit * unit:,}'
