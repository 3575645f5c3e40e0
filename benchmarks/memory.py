"""How much memory the programs of `benchmarks.scan` take, as XLA assigned it.

The sum of the buffers of arguments, results and temporaries that XLA's buffer
assignment lists: what a run of the program needs at once, free of what Python,
TensorFlow and the compiler take beside it. XLA writes the assignment only if
told to before it starts, so `program_bytes` has a process of its own do it:

  python -m benchmarks.memory '[["r2i_tf", [1, 1024, 128]]]'
"""

from collections.abc import Sequence
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

_ROOT = pathlib.Path(__file__).resolve().parent.parent
_ALLOCATION = re.compile(r'^allocation \d+: .*?size (\d+), (.*)$', re.M)

Case = tuple[str, tuple[int, int, int]]


def program_bytes(cases: Sequence[Case]) -> dict[Case, int]:
  """Returns the bytes of each contestant at each shape."""
  with tempfile.TemporaryDirectory() as dump:
    xla_flags = f'--xla_dump_to={dump} {os.environ.get("XLA_FLAGS", "")}'
    answer = subprocess.run(
        [sys.executable, '-m', 'benchmarks.memory', json.dumps(cases)],
        env={**os.environ, 'XLA_FLAGS': xla_flags, 'R2I_TF_DUMP': dump},
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
  return dict(zip(cases, json.loads(answer.splitlines()[-1])))


def assigned_bytes(assignment: str) -> int:
  """Returns the bytes of arguments, results and temporaries.

  Args:
    assignment: The text of XLA's buffer assignment.
  """
  return sum(
      int(size)
      for size, use in _ALLOCATION.findall(assignment)
      if not use.startswith(('constant', 'thread-local'))
  )


def main(argv: list[str]) -> None:
  """Compiles the cases of the command line, prints their bytes as JSON."""
  from benchmarks import recurrences

  dump, seen, sizes = pathlib.Path(os.environ['R2I_TF_DUMP']), set(), []
  for name, shape in json.loads(argv[1]):
    function, arguments = recurrences.contestant(name, tuple(shape))
    # Compiles it, and all of it: XLA could leave out what a run does not need.
    function.experimental_get_compiler_ir(*arguments)('optimized_hlo')
    new = set(dump.glob('*buffer-assignment.txt')) - seen
    seen |= new
    sizes.append(max(assigned_bytes(path.read_text()) for path in new))
  print(json.dumps(sizes))


if __name__ == '__main__':
  main(sys.argv)
