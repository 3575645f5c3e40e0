r"""Train steps and whole runs beside those of DreamerV3's implementations.

  python -m benchmarks.peers --peers=build/peers

What is compared are `r2i_tf`, with the S3M and with the GRU, sheeprl (PyTorch)
and dreamerv3 (JAX), each in a process of its own that lives as long as the
comparison and takes steps when it is told to, so that they are timed in turn on
the same cores. The peers are installed from their packages, each in an
environment of its own in --peers, which is kept; `peer_steps` has the code
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
import math
import os
import pathlib
import signal
import sys
import tempfile
from typing import Any

from absl import flags

from benchmarks import lengths as lengths_lib
from benchmarks import report
from benchmarks import timing
from benchmarks.peer_steps import children as children_lib
from benchmarks.peer_steps import contenders
from benchmarks.peer_steps import showing
from benchmarks.peer_steps import work as work_lib
from r2i_tf import errors
from r2i_tf.programs import command_line

_PEERS = flags.DEFINE_string(
    'peers', None, "Directory for the peers' environments, which are kept."
)
_PYTHON = flags.DEFINE_string(
    'python', sys.executable, "To make the peers' environments with."
)

# As the caller has it: what this project sets for TensorFlow would change JAX.
_UNCHANGED = dict(os.environ)
_RUN_BATCH = (16, 64)
_TURN = 256  # Environment steps of one turn: 16 train steps.


def main(_) -> None:
  """Compares the contenders."""
  lengths = report.numbers(lengths_lib.LENGTHS)
  tokens = lengths_lib.TOKENS.value
  seconds, turn, batch = report.SECONDS.value, _TURN, _RUN_BATCH
  if report.QUICK.value:
    lengths, tokens, seconds, turn, batch = [8], 32, 0.0, 64, (4, 16)
  lengths_lib.check(lengths, tokens)
  if not _PEERS.value:
    raise errors.RunError(
        "--peers is missing: name a directory for the peers' environments, such"
        ' as --peers=build/peers.'
    )
  # Or children that are stopped would stay behind.
  signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
  directory = pathlib.Path(_PEERS.value).absolute()
  command_line.load_tensorflow()
  start = contenders.starter(directory, _PYTHON.value, _UNCHANGED)
  sizes = equal_sizes(report.QUICK.value)
  rows = []
  for length in lengths:
    rows += train_steps(start, sizes, tokens // length, length, seconds)
  with tempfile.TemporaryDirectory() as temporary:
    runs = whole_runs(start, sizes, batch, turn, seconds, temporary)
  record = {
      'machine': report.machine(),
      'sizes': dataclasses.asdict(sizes),
      'rows': rows,
      'runs': runs,
  }
  report.finish(
      'peers',
      record,
      showing.tables(record),
      lambda it: showing.plot(record, it),
  )


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


@contextlib.contextmanager
def _started(
    start: contenders.Start, each: Sequence[work_lib.Work]
) -> Iterator[dict[str, children_lib.Child]]:
  """Has one child for each work, by its model."""
  with contextlib.ExitStack() as stack:
    children = {}
    for work in each:
      child = children[work.model] = start(work)
      stack.callback(child.close)
    yield children


def train_steps(
    start: contenders.Start,
    sizes: work_lib.Sizes,
    batch_size: int,
    length: int,
    seconds: float,
) -> list[dict[str, Any]]:
  """Times the train step of each contender, in turn.

  Args:
    start: Returns the child of a `work_lib.Work`; see `contenders.starter`.
    sizes: Of all models.
    batch_size: Sequences.
    length: Steps of a sequence.
    seconds: Rounds go on for so long.

  Returns:
    A row for each.

  Raises:
    errors.RunError: One of them does not do the same work, or ended.
  """
  each = [
      work_lib.Work(model, sizes, batch_size, length)
      for model in contenders.CONTENDERS
  ]
  with _started(start, each) as children:
    facts = {
        work.model: _fair(work, children[work.model].facts) for work in each
    }
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
      for model in contenders.CONTENDERS
  ]
  for row in rows:
    print(
        f'{batch_size}x{length} {contenders.CONTENDERS[row["model"]].name}:'
        f' {row["median_ms"]:,.0f} ms a train step',
        flush=True,
    )
  return rows


def whole_runs(
    start: contenders.Start,
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
  prefill = batch[0] * batch[1]
  run = work_lib.Run(
      environments=4,
      train_ratio=64.0,
      prefill=prefill,
      # One of them counts sequences, and so starts to train 252 steps later.
      free=prefill + 2 * turn,
      directory='',
  )
  each = [
      work_lib.Work(
          model,
          sizes,
          *batch,
          run=dataclasses.replace(run, directory=f'{directory}/{model}'),
      )
      for model in contenders.CONTENDERS
  ]
  trained: dict[str, list[int]] = {model: [] for model in contenders.CONTENDERS}
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
      for model in contenders.CONTENDERS
  ]
  conducted = dataclasses.asdict(run)
  del conducted['directory']
  return {**conducted, 'batch': batch, 'turn': turn, 'rows': rows}


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


def _fair(work: work_lib.Work, facts: dict[str, Any]) -> dict[str, Any]:
  """Returns what a child has said of itself, if it does the whole work.

  Args:
    work: Of the child.
    facts: What it has said.

  Raises:
    errors.RunError: It imagines more or less, or does not learn.
  """
  if facts['imagined'] != work.imagined or not math.isfinite(facts['loss']):
    raise errors.RunError(
        f'{contenders.CONTENDERS[work.model].name} imagines'
        f' {facts["imagined"]:,} states in a train step, its loss is'
        f' {facts["loss"]:g}; {work.imagined:,} and a finite loss are what is'
        ' compared: its file in benchmarks/peer_steps does not fit the version'
        ' that is installed.'
    )
  return facts


def _over(times: Mapping[str, timing.Times], model: str) -> dict[str, float]:
  """Returns how long one takes over each of ours."""
  return {
      f'over_{ours}': times[model].over(times[ours]) for ours in ('s3m', 'gru')
  }


if __name__ == '__main__':
  command_line.run(main)
