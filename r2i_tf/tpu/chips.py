"""The TPUs that a train step can be compiled for."""

import dataclasses
import math

from r2i_tf import errors


@dataclasses.dataclass(frozen=True)
class Chip:
  """One chip of a generation, on which one replica of the agent runs.

  Attributes:
    available_gib: The high-bandwidth memory that the compiler gives a program.
      It is less than the chip has: 32 GiB (v4), 16 (v5e), 96 (v5p) and 32
      (v6e).
    grids: The arrangements of chips that can be asked for. The program is for
      one of them.
    options: Further words that describe the topology to the compiler.
  """

  available_gib: float
  grids: tuple[str, ...]
  options: tuple[tuple[str, str], ...] = ()

  @property
  def available_bytes(self) -> int:
    """The memory in bytes."""
    return round(self.available_gib * 2**30)


_FLAT = ('1x1', '2x2', '2x4', '4x4', '4x8', '8x8', '8x16', '16x16')
_CUBES = ('1x1x1', '2x2x1', '2x2x2', '2x2x4', '2x4x4', '4x4x4')

# The memory is the one that each compiler named for too large a program.
GENERATIONS: dict[str, Chip] = {
    # Else each of the two cores would be a device of its own, of half the
    # memory, which is not how Cloud TPUs run.
    'v4': Chip(30.75, _CUBES, (('chip_config_name', 'megacore'),)),
    'v5e': Chip(15.75, _FLAT),
    'v5p': Chip(95.73, _CUBES),
    'v6e': Chip(31.24, _FLAT),
}


def count(topology: str) -> int:
  """Returns how many chips a topology has.

  Args:
    topology: One that `chip` knows.
  """
  _, _, grid = topology.partition(':')
  return math.prod(map(int, grid.split('x')))


def chip(topology: str) -> Chip:
  """Returns the chip of a topology.

  Args:
    topology: Generation and grid, such as 'v5e:2x2'.

  Raises:
    errors.RunError: There is no such topology.
  """
  generation, _, grid = topology.partition(':')
  known = GENERATIONS.get(generation)
  if known is None or grid not in known.grids:
    names = '; '.join(
        f'{name}: with {", ".join(chip.grids)}'
        for name, chip in GENERATIONS.items()
    )
    raise errors.RunError(
        f'--topology is {topology!r}, but it must be one of {names}.'
    )
  return known
