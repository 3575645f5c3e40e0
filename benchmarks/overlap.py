"""How much faster is a run whose environments step while it trains?

Whole rounds of a run, collect, replay and train, at the same train ratio, with
`collect_while_training` and without, in turn:

  python -m benchmarks.overlap
  python -m benchmarks.overlap --overlap_domain=dmc_vision --ratios=16,64

Both ways have a pool of processes each, and share agent, replay and learner.
Agents and environments are those of the domains' debug recipes, and batches so
small that a train step takes about as long as a step of environments that
render. In `elsewhere` their images come from another machine, or so it seems: a
step waits, and takes nothing from the processors that train. A step is one
decision of the agent.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import contextlib
import dataclasses
import fractions
import time
from typing import Any

from absl import flags
import dm_env
from dm_env import specs
import numpy as np

from benchmarks import report
from benchmarks import timing
from r2i_tf.programs import command_line

_ELSEWHERE = 'elsewhere'
_DOMAINS = ('dmc_vision', 'atari100k', _ELSEWHERE)
_DOMAIN = flags.DEFINE_multi_enum(
    'overlap_domain', _DOMAINS, _DOMAINS, 'Which to measure.'
)
_ENVIRONMENTS = flags.DEFINE_integer(
    'overlap_environments', 4, 'How many step together.', lower_bound=1
)
_RATIOS = flags.DEFINE_list(
    'ratios', ['2', '8', '32'], 'Train ratios, positive integers.'
)
_BATCH_SIZE = flags.DEFINE_integer(
    'overlap_batch_size', 2, 'Sequences in a batch.', lower_bound=1
)
_LENGTH = flags.DEFINE_integer(
    'overlap_length', 16, 'Steps in a sequence.', lower_bound=2
)
_TURN = 0.5  # Seconds.
_OFF, _ON = 'in turn', 'while training'


class Elsewhere(dm_env.Environment):
  """Images that take a while to arrive, and nothing to be won."""

  _SECONDS = 0.05

  def reset(self) -> dm_env.TimeStep:
    """Starts an episode, which has no end."""
    return dm_env.restart(self._image())

  def step(self, action: Any) -> dm_env.TimeStep:
    """Waits."""
    del action
    time.sleep(self._SECONDS)
    return dm_env.transition(0.0, self._image())

  def observation_spec(self) -> specs.BoundedArray:
    """Returns the spec of an image."""
    return specs.BoundedArray([64, 64, 3], np.uint8, 0, 255)

  def action_spec(self) -> specs.BoundedArray:
    """Returns the spec of a number."""
    return specs.BoundedArray([1], np.float32, -1.0, 1.0)

  def _image(self) -> np.ndarray:
    return np.zeros([64, 64, 3], np.uint8)


def main(_) -> None:
  """Measures the domains that the flags ask for."""
  from r2i_tf import run_config
  from r2i_tf import schema

  ratios, seconds = report.numbers(_RATIOS), report.SECONDS.value
  if report.QUICK.value:
    ratios, seconds = ratios[:1], 0.5
  rows = []
  for domain in _DOMAIN.value:
    recipe = 'dmc_vision' if domain == _ELSEWHERE else domain
    run = schema.replace(
        run_config.RunConfig.preset(recipe, 'debug'),
        {
            'replay.batch_size': _BATCH_SIZE.value,
            'replay.sequence_length': _LENGTH.value,
        },
    )
    task = Elsewhere if domain == _ELSEWHERE else run.task
    for row in measure(run, task, _ENVIRONMENTS.value, ratios, seconds):
      rows.append({'domain': domain, **row})
      print(row_line(rows[-1]), flush=True)
  record = {
      'machine': report.machine(),
      'environments': _ENVIRONMENTS.value,
      'batch_size': _BATCH_SIZE.value,
      'sequence_length': _LENGTH.value,
      'rows': rows,
  }
  report.finish('overlap', record, tables(record))


@dataclasses.dataclass
class _Spent:
  """What a turn has taken.

  Attributes:
    collecting: Seconds until the steps were there.
    training: Seconds until the train steps were done.
    processor: Seconds of processors that the train steps took.
    steps: Of all environments.
  """

  collecting: float = 0.0
  training: float = 0.0
  processor: float = 0.0
  steps: int = 0

  @property
  def total(self) -> float:
    """Seconds."""
    return self.collecting + self.training


def measure(
    run: Any, task: Any, count: int, ratios: Sequence[int], seconds: float
) -> list[dict[str, Any]]:
  """Measures one domain.

  Args:
    run: A `RunConfig`: its agent and batches, and how its task is set up.
    task: As `environments.load_batch` takes it.
    count: Environments.
    ratios: Train ratios.
    seconds: Timing of both ways, for each ratio.

  Returns:
    For each ratio: train steps a round; by the way, the milliseconds of a round
    in collecting and in training, and environment steps a second; how many
    cores training in turn keeps busy; how many times as many steps there are
    while training.
  """
  from r2i_tf.training import collector as collector_lib
  from r2i_tf.training import learner as learner_lib
  from r2i_tf.training import overlapped
  from r2i_tf.training import parts as parts_lib

  parts = parts_lib.R2I_PARTS
  with contextlib.ExitStack() as stack:
    pools = [
        stack.enter_context(
            contextlib.closing(
                parts.load_batch(task, seed, count, run.environment, run.pool)
            )
        )
        for seed in range(2)
    ]
    agent = _agent(parts, pools[0], run)
    replay = parts.replay_class(run)(
        agent.collect_data_spec, count, run.replay.capacity
    )
    policy = agent.collect_policy
    ways = {
        _OFF: collector_lib.Collector(pools[0], policy, [replay.add], 1),
        _ON: overlapped.OverlappedCollector(pools[1], policy, [replay.add], 1),
    }
    learner = learner_lib.Learner(
        agent, replay.sample(run.replay.batch_size, run.replay.sequence_length)
    )
    # A sequence of each stream, and one to choose from.
    for _ in range(run.replay.sequence_length + 1):
      for way in ways.values():
        way.collect()
    learner.train()  # Which compiles.
    return [
        {
            'train_ratio': ratio,
            **_compare(ways, learner, run, count, ratio, seconds),
        }
        for ratio in ratios
    ]


def _agent(parts: Any, pool: Any, run: Any) -> Any:
  from tf_agents.specs import tensor_spec

  from r2i_tf.training import learner as learner_lib

  return parts.build_agent(
      tensor_spec.from_spec(pool.time_step_spec()),
      tensor_spec.from_spec(pool.action_spec()),
      run,
      learner_lib.train_step_counter(),
  )


def _compare(
    ways: Mapping[str, Any],
    learner: Any,
    run: Any,
    count: int,
    ratio: int,
    seconds: float,
) -> dict[str, Any]:
  """Times both ways in turn at one train ratio."""
  batch = run.replay.batch_size * run.replay.sequence_length
  a_round = fractions.Fraction(count * ratio, batch)  # Train steps.
  # As many as end with no train step owed, in turns of half a second or so.
  rounds = a_round.denominator
  turn = _turn(ways[_OFF], learner, a_round / count, rounds)
  rounds *= max(1, round(_TURN / turn.total))
  spent: dict[str, list[_Spent]] = {name: [] for name in ways}
  end = time.perf_counter() + seconds
  while len(spent[_ON]) < 2 or time.perf_counter() < end:
    for name, way in ways.items():
      spent[name].append(_turn(way, learner, a_round / count, rounds))
  seconds_a_step = {
      name: timing.Times([turn.total / turn.steps for turn in turns])
      for name, turns in spent.items()
  }
  return {
      'train_steps_a_round': float(a_round),
      'collecting_ms': {
          name: _median_ms([turn.collecting for turn in turns], rounds)
          for name, turns in spent.items()
      },
      'training_ms': {
          name: _median_ms([turn.training for turn in turns], rounds)
          for name, turns in spent.items()
      },
      'cores': timing.significant(
          sum(turn.processor for turn in spent[_OFF])
          / sum(turn.training for turn in spent[_OFF]),
          3,
      ),
      'speed': {
          name: timing.significant(1 / each.median, 5)
          for name, each in seconds_a_step.items()
      },
      'speedup': seconds_a_step[_OFF].over(seconds_a_step[_ON]),
      'turns': len(spent[_ON]),
      'rounds': rounds,
  }


def _turn(
    collector: Any, learner: Any, a_step: fractions.Fraction, rounds: int
) -> _Spent:
  """Takes rounds as a run does: the train steps of the last, then the next.

  Args:
    collector: Of either way.
    learner: Takes the train steps.
    a_step: Train steps that an environment step owes.
    rounds: How many.
  """
  recorder, spent, trained = collector.recorder, _Spent(), 0
  start = recorder.environment_steps
  # One that was in flight while the other way had its turn is not timed.
  collector.collect()
  before = time.perf_counter()
  for _ in range(rounds):
    spent.steps = recorder.environment_steps - start
    used = time.process_time()
    while trained + 1 <= a_step * spent.steps:
      learner.train()
      trained += 1
    spent.processor += time.process_time() - used
    now = time.perf_counter()
    spent.training += now - before
    collector.collect()
    before = time.perf_counter()
    spent.collecting += before - now
  learner.take_losses()
  return spent


def _median_ms(seconds: Sequence[float], rounds: int) -> float:
  return timing.significant(
      1e3 * timing.Times(list(seconds)).median / rounds, 5
  )


def row_line(row: dict[str, Any]) -> str:
  """Returns what is printed of a ratio as soon as it is measured."""
  return (
      f'{row["domain"]}, train ratio {row["train_ratio"]}: a round of'
      f' {row["collecting_ms"][_OFF]:.1f} ms and {row["training_ms"][_OFF]:.1f}'
      f' ms on {row["cores"]:.2f} cores becomes one of'
      f' {row["collecting_ms"][_ON]:.1f} and {row["training_ms"][_ON]:.1f} ms,'
      f' {row["speedup"]:.3f} times as fast'
  )


def tables(record: dict[str, Any]) -> dict[str, str]:
  """Returns the table, by the name of its place."""
  header = [
      'environments',
      'train ratio',
      'train steps a round',
      'on cores',
      *(
          f'{what}, {way}'
          for way in (_OFF, _ON)
          for what in ('collecting (ms)', 'training (ms)', 'steps a second')
      ),
      'times',
  ]
  rows = [
      [
          row['domain'],
          row['train_ratio'],
          row['train_steps_a_round'],
          row['cores'],
          *(
              row[what][way]
              for way in (_OFF, _ON)
              for what in ('collecting_ms', 'training_ms', 'speed')
          ),
          row['speedup'],
      ]
      for row in record['rows']
  ]
  return {
      'overlap': (
          f'{report.machine_line(record["machine"])} {record["environments"]}'
          f' environments, batches of {record["batch_size"]} x'
          f' {record["sequence_length"]} steps.\n\n'
          f'{report.markdown(header, rows)}'
      )
  }


if __name__ == '__main__':
  command_line.run(main)
