r"""Train steps and whole runs beside those of DreamerV3's implementations.

  python -m benchmarks.peers --directory=PLACE

What is compared are `r2i_tf`, with the S3M and with the GRU, sheeprl (PyTorch)
and dreamerv3 (JAX), each in a process of its own that lives as long as the
comparison and takes steps when it is told to, so that they are timed in turn on
the same cores. The peers are installed from their packages, each in an
environment of its own in --directory, which is kept; `peer_steps` has the code
that drives them.

- One train step on random sequences, at equal sizes, with as many states
  imagined, by sequence length.
- Environment steps a second of a whole run on CartPole: acting, replay and
  training by each contender's own program.
"""

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import contextlib
import dataclasses
import os
import pathlib
import sys
import tempfile
from typing import Any, Optional

from absl import flags

from benchmarks import report
from benchmarks import timing
from benchmarks.peer_steps import children as children_lib
from benchmarks.peer_steps import places
from benchmarks.peer_steps import work as work_lib
from r2i_tf import errors
from r2i_tf.programs import command_line

_DIRECTORY = flags.DEFINE_string(
    'directory', None, "For the peers' environments, which are kept.",
    required=True,
)
_PYTHON = flags.DEFINE_string(
    'python', sys.executable, "To make the peers' environments with."
)
_LENGTHS = flags.DEFINE_list('lengths', ['64', '256', '1024'], 'Of sequences.')
_TOKENS = flags.DEFINE_integer('tokens', 4096, 'Steps in a batch.')

# What this project sets for TensorFlow would change JAX, too.
_UNCHANGED = dict(os.environ)
_RUN_BATCH = (16, 64)
_TURN = 256  # Environment steps of one turn: 16 train steps.


@dataclasses.dataclass(frozen=True)
class Contender:
  """One that is compared.

  Attributes:
    name: For tables.
    module: What its process runs.
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
_OURS = ('s3m', 'gru')


def main(_) -> None:
  """Compares the contenders."""
  lengths, tokens = report.numbers(_LENGTHS), _TOKENS.value
  seconds, turn, batch = report.SECONDS.value, _TURN, _RUN_BATCH
  if report.QUICK.value:
    lengths, tokens, seconds, turn, batch = [8], 32, 0.0, 64, (4, 16)
  for length in lengths:
    if tokens % length:
      raise errors.RunError(
          f'--lengths has {length}, which does not divide --tokens ({tokens}).'
      )
  directory = pathlib.Path(_DIRECTORY.value).absolute()
  command_line.load_tensorflow()
  starter = Starter(directory, _PYTHON.value)
  sizes = equal_sizes(report.QUICK.value)
  rows = []
  for length in lengths:
    rows += train_steps(starter, sizes, tokens // length, length, seconds)
  with tempfile.TemporaryDirectory() as temporary:
    runs = whole_runs(starter, sizes, batch, turn, seconds, temporary)
  record = {
      'machine': report.machine(),
      'sizes': dataclasses.asdict(sizes),
      'rows': rows,
      'runs': runs,
  }
  report.finish('peers', record, tables(record), lambda it: plot(record, it))


def equal_sizes(quick: bool) -> work_lib.Sizes:
  """Returns the sizes of the setting `vector` of `train_step`.

  Args:
    quick: Whether to take sizes that show only that it works.
  """
  from benchmarks import agents

  config = agents.smallest_config() if quick else agents.plain_config()
  model = config.world_model
  return work_lib.Sizes(
      units=model.encoder.units,
      layers=model.encoder.layers,
      groups=model.latent.groups,
      classes=model.latent.classes,
      bins=model.bins,
      horizon=config.behavior.horizon,
      state_size=model.sequence_model.s3m.state_size,
      state_layers=model.sequence_model.s3m.layers,
  )


class Starter:
  """Starts a contender's process."""

  def __init__(self, directory: pathlib.Path, base: str):
    """Makes the environments that lack.

    Args:
      directory: For the peers' environments, and for what the children print.
      base: The interpreter to make them with.
    """
    self._directory = directory
    self._pythons = {
        each.peer: places.python(each.peer, directory, base)
        for each in CONTENDERS.values()
        if each.peer is not None
    }

  def __call__(self, work: work_lib.Work) -> children_lib.Child:
    """Returns the child that does this work, when all is compiled."""
    contender = CONTENDERS[work.model]
    python, environment = sys.executable, dict(os.environ)
    if contender.peer is not None:
      python, environment = self._pythons[contender.peer], _UNCHANGED
    module = f'benchmarks.peer_steps.{contender.module}'
    child = children_lib.Child(
        [python, '-m', module, work.to_json()],
        environment,
        self._directory / f'{work.model}.log',
    )
    print(
        f'{work.batch_size}x{work.length} {contender.name}: ready', flush=True
    )
    return child


@contextlib.contextmanager
def _started(
    start: Any, each: Sequence[work_lib.Work]
) -> Iterator[dict[str, children_lib.Child]]:
  """Has one child for each work, by its model."""
  with contextlib.ExitStack() as stack:
    children = {}
    for work in each:
      child = children[work.model] = start(work)
      stack.callback(child.close)
    yield children


def train_steps(
    start: Any,
    sizes: work_lib.Sizes,
    batch_size: int,
    length: int,
    seconds: float,
) -> list[dict[str, Any]]:
  """Times the train step of each contender, in turn.

  Args:
    start: Returns the child of a `work_lib.Work`; a `Starter`.
    sizes: Of all models.
    batch_size: Sequences.
    length: Steps of a sequence.
    seconds: Rounds go on for so long.

  Returns:
    A row for each.
  """
  each = [
      work_lib.Work(model, sizes, batch_size, length) for model in CONTENDERS
  ]
  with _started(start, each) as children:
    facts = {model: child.facts for model, child in children.items()}
    times = timing.in_turn(
        {model: lambda c=child: c.take(1) for model, child in children.items()},
        seconds,
        least=3,
    )
  rows = [
      {
          'model': model,
          'batch_size': batch_size,
          'length': length,
          **facts[model],
          **times[model].record(),
          **_over(times, model),
      }
      for model in CONTENDERS
  ]
  for row in rows:
    print(
        f'{batch_size}x{length} {CONTENDERS[row["model"]].name}:'
        f' {row["median_ms"]:,.0f} ms a train step',
        flush=True,
    )
  return rows


def whole_runs(
    start: Any,
    sizes: work_lib.Sizes,
    batch: tuple[int, int],
    turn: int,
    seconds: float,
    directory: str,
) -> dict[str, Any]:
  """Times environment steps of a run of each contender, in turn.

  Args:
    start: See `train_steps`.
    sizes: See there.
    batch: Sequences in a batch, steps of a sequence.
    turn: Environment steps of a turn.
    seconds: Rounds go on for so long.
    directory: For what the runs write.

  Returns:
    What the JSON file holds of them: how they were conducted, and a row for
    each.
  """
  run = work_lib.Run(
      environments=4,
      train_ratio=64.0,
      prefill=1024,
      # One of them fills its replay with what makes 1,276 steps here.
      free=1536,
      directory='',
  )
  each = [
      work_lib.Work(
          model,
          sizes,
          *batch,
          run=dataclasses.replace(run, directory=f'{directory}/{model}'),
      )
      for model in CONTENDERS
  ]
  trained: dict[str, list[int]] = {model: [] for model in CONTENDERS}
  with _started(start, each) as children:
    times = timing.in_turn(
        {
            model: lambda m=model, c=child: trained[m].append(c.take(turn))
            for model, child in children.items()
        },
        seconds,
        least=3,
    )
  rows = [
      {
          'model': model,
          'steps_per_s': turn / times[model].median,
          'replayed': replayed(trained[model], turn, batch),
          **times[model].record(),
          **_over(times, model),
      }
      for model in CONTENDERS
  ]
  return {**dataclasses.asdict(run), 'batch': batch, 'turn': turn, 'rows': rows}


def replayed(
    trained: Sequence[int], turn: int, batch: tuple[int, int]
) -> float:
  """Returns how many steps were replayed for each environment step.

  Args:
    trained: Train steps in all after each turn.
    turn: Environment steps of a turn.
    batch: Sequences in a batch, steps of a sequence.
  """
  steps = (trained[-1] - trained[0]) * batch[0] * batch[1]
  return steps / (turn * (len(trained) - 1))


def _over(times: Mapping[str, timing.Times], model: str) -> dict[str, float]:
  """Returns how long one takes over each of ours."""
  return {f'over_{ours}': times[model].over(times[ours]) for ours in _OURS}


def tables(record: Mapping[str, Any]) -> dict[str, str]:
  """Returns the tables, by the names of their places."""
  above = report.machine_line(record['machine'])
  steps = [
      [
          f'{row["batch_size"]}x{row["length"]}',
          CONTENDERS[row['model']].name,
          row['median_ms'],
          row['over_s3m'],
          row['over_gru'],
          row['first_step_s'],
      ]
      for row in record['rows']
  ]
  shortest = [
      row for row in record['rows'] if row['length'] == record['rows'][0]['length']
  ]
  models = [
      [
          CONTENDERS[row['model']].name,
          ', '.join(f'{k} {v}' for k, v in row['versions'].items()),
          *row['parameters'].values(),
          row['imagined'],
      ]
      for row in shortest
  ]
  runs = [
      [
          CONTENDERS[row['model']].name,
          row['steps_per_s'],
          row['over_s3m'],
          row['over_gru'],
          row['replayed'],
      ]
      for row in record['runs']['rows']
  ]
  over = ['time over S3M', 'time over GRU']
  return {
      'peers': f'{above}\n\n'
      + report.markdown(
          ['B x T', 'model', 'step (ms)', *over, 'first step (s)'], steps
      ),
      'peers_models': report.markdown(
          [
              'model',
              'versions',
              'parameters: world model',
              'actor',
              'critic',
              'states imagined in a step',
          ],
          models,
      ),
      'peers_runs': report.markdown(
          [
              'model',
              'environment steps a second',
              *over,
              'replayed for each',
          ],
          runs,
      ),
  }


def plot(record: Mapping[str, Any], picture: Any) -> None:
  """Draws the train step against the length, and the speeds of the runs."""
  steps, runs = picture.subplots(1, 2)
  for model, contender in CONTENDERS.items():
    rows = [row for row in record['rows'] if row['model'] == model]
    steps.plot(
        [row['length'] for row in rows],
        [row['median_ms'] for row in rows],
        'o-',
        label=contender.name,
    )
  tokens = record['rows'][0]['batch_size'] * record['rows'][0]['length']
  steps.set_xscale('log', base=2)
  steps.set_yscale('log')
  steps.set_xlabel(f'sequence length, {tokens:,} steps in a batch')
  steps.set_ylabel('train step (ms)')
  steps.legend()
  names = [CONTENDERS[row['model']].name for row in record['runs']['rows']]
  speeds = [row['steps_per_s'] for row in record['runs']['rows']]
  runs.barh(names, speeds, color=[f'C{i}' for i in range(len(names))])
  runs.invert_yaxis()
  runs.set_xlabel('environment steps a second on CartPole')


if __name__ == '__main__':
  command_line.run(main)
