"""Whether the replay of a run fits into memory, and onto the disk.

TF-Agents' replay buffer fills its whole table with zeros when it is built, and
the system hands over every page of it then (measured: 1 GB of table, 1 GB
resident before the first step). A capacity that does not fit ends in a kill
without a word, some minutes later; here it is refused before. A replay on disk
would end with a full one, some days later.
"""

from collections.abc import Iterator
import pathlib
import shutil
from typing import Optional

import psutil

from r2i_tf import errors
from r2i_tf.replay import base

# The share of the replay in the memory that is free before anything of the run
# is built. The rest is for environments, the agent, the train step (its arrays,
# where there is no accelerator, and its compilation) and for batches.
_SHARE = 0.8
# That in the room on the disk. The rest is for checkpoints, and for the steps
# that have left the replay but not the last two checkpoints.
_DISK_SHARE = 0.9


def check(
    size: base.Size, directory: pathlib.Path, available: Optional[int] = None
) -> str:
  """Refuses a replay that does not fit.

  Args:
    size: Of the replay.
    directory: Where its files are, if it has any; it need not exist yet.
    available: Bytes of free memory; by default as `available_bytes` finds them.

  Returns:
    A line for the user: how much the replay will take, and of how much.

  Raises:
    errors.RunError: It does not fit; the sentence names a capacity that does,
      if there is one.
  """
  if available is None:
    available = available_bytes()
  steps = f"the replay's {size.capacity:,} steps of {size.step_bytes:,} bytes"
  memory = f'the {_in_units(available)} of memory available'
  if size.chunk is None:
    _check_capacity(size, int(_SHARE * available), f'{_SHARE:.0%} of {memory}')
    return f'{steps} take {_in_units(size.memory_bytes)} of {memory}'
  room = room_for(directory)
  disk = f'the {_in_units(room)} of disk available to {directory}'
  _check_capacity(size, int(_DISK_SHARE * room), f'{_DISK_SHARE:.0%} of {disk}')
  taken = _in_units(size.memory_bytes)
  if size.memory_bytes > _SHARE * available:
    raise errors.RunError(
        f'the newest {size.chunk:,} steps of the replay take {taken}, but they'
        f' may take {_SHARE:.0%} of {memory}; train where there is more memory.'
    )
  return (
      f'{steps} take {_in_units(size.disk_bytes)} of {disk}, and {taken} of'
      f' {memory}'
  )


def room_for(directory: pathlib.Path) -> int:
  """Returns how many bytes a replay may have in all in a directory.

  That is what is free on its disk, and what the replay takes there already.

  Args:
    directory: Of the replay; it need not exist yet.
  """
  taken = sum(path.stat().st_size for path in directory.glob('chunk-*'))
  existing = directory.absolute()
  while not existing.exists():
    existing = existing.parent
  return taken + shutil.disk_usage(existing).free


def _check_capacity(size: base.Size, share: int, of: str) -> None:
  """Refuses more steps than fit into so many bytes."""
  largest = share // size.step_bytes
  if size.capacity > largest:
    others = ' or train where there is more room'
    if size.chunk is None:
      others = ', replay.kind to disk, or train where there is more memory'
    raise errors.RunError(
        f'the replay of {size.capacity:,} steps takes'
        f' {_in_units(size.capacity * size.step_bytes)},'
        f' {size.step_bytes:,} bytes for each, but it may take {of}; set'
        f' replay.capacity to {_rounded_down(largest)} or less{others}.'
    )


def available_bytes(root: pathlib.Path = pathlib.Path('/')) -> int:
  """Returns how much memory this process can still get without swapping.

  That is the free memory of the machine, or less where a container or a
  scheduler has given the process a limit: the control groups of Linux, of
  either version.

  Args:
    root: Where /proc and /sys are.
  """
  available = psutil.virtual_memory().available
  return max(0, min([available, *_left_in_groups(root)]))


def _left_in_groups(root: pathlib.Path) -> Iterator[int]:
  """Yields the bytes that each control group with a limit has left."""
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
) -> Iterator[tuple[pathlib.Path, str, str, str]]:
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


def _in_units(count: int) -> str:
  """Returns bytes as '12.3 GB'."""
  for unit, name in ((1e12, 'TB'), (1e9, 'GB'), (1e6, 'MB')):
    if count >= unit:
      return f'{count / unit:.1f} {name}'
  return f'{count / 1e3:.1f} kB'


def _rounded_down(count: int) -> str:
  """Returns a number with two digits that count.

  The memory available differs a little from one start to the next.
  """
  unit = 10 ** max(0, len(str(count)) - 2)
  return f'{count // unit * unit:,}'
