"""Who is compared by `benchmarks.peers`, and how its process is started."""

from collections.abc import Callable
from collections.abc import Mapping
import dataclasses
import os
import pathlib
import sys
from typing import Optional

from benchmarks.peer_steps import children
from benchmarks.peer_steps import places
from benchmarks.peer_steps import work as work_lib

# Returns the child that does a work, when all in it is compiled.
Start = Callable[[work_lib.Work], children.Child]


@dataclasses.dataclass(frozen=True)
class Contender:
  """One that is compared.

  Attributes:
    name: For tables.
    module: What its process runs, beside this module.
    peer: Whose environment it runs in; None for this one.
  """

  name: str
  module: str
  peer: Optional[str] = None


CONTENDERS = {
    's3m': Contender('r2i_tf, S3M', 'ours'),
    'gru': Contender('r2i_tf, GRU', 'ours'),
    'sheeprl': Contender('sheeprl', 'of_sheeprl', 'sheeprl'),
    'dreamerv3': Contender('dreamerv3', 'of_dreamerv3', 'dreamerv3'),
}


def starter(
    directory: pathlib.Path, base: str, unchanged: Mapping[str, str]
) -> Start:
  """Returns what starts a contender's process.

  Args:
    directory: For the peers' environments, which are made where they lack, and
      for what the children print.
    base: The interpreter to make environments with.
    unchanged: The environment variables for peers. What this project sets for
      TensorFlow would change JAX, too.

  Raises:
    errors.RunError: An environment cannot be made.
  """
  pythons = {
      each.peer: places.python(each.peer, directory, base)
      for each in CONTENDERS.values()
      if each.peer is not None
  }

  def start(work: work_lib.Work) -> children.Child:
    contender = CONTENDERS[work.model]
    python, environment = sys.executable, dict(os.environ)
    if contender.peer is not None:
      python, environment = pythons[contender.peer], dict(unchanged)
    module = f'benchmarks.peer_steps.{contender.module}'
    child = children.Child(
        [python, '-m', module, work.to_json()],
        environment,
        directory / f'{work.model}.log',
    )
    print(
        f'{work.batch_size}x{work.length} {contender.name}: ready', flush=True
    )
    return child

  return start
