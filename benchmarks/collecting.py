"""How fast is experience collected in each domain, in one process and a pool?

The environments of each domain's recipe step with random actions, which is what
the environments alone cost, and under the collect policy of the recipe's
agent, as a driver steps them but without a replay:

  python -m benchmarks.collecting
  python -m benchmarks.collecting --domain=atari100k --environments=8

A step is one decision of the agent: four frames of Atari, two control steps of
the control suite.
"""

from collections.abc import Iterator
from collections.abc import Mapping
import contextlib
import time
from typing import Any, Callable

from absl import flags
import numpy as np

from benchmarks import report
from r2i_tf.programs import command_line
from tests.acceptance import every_domain

_ENVIRONMENTS = flags.DEFINE_integer(
    'environments', 4, 'How many step together.', lower_bound=1
)

_TURN = 0.3  # Seconds.
_Way = tuple[str, str]
# What is compared, as the columns of the table say it.
_WAYS = {
    ('random', 'process'): 'random, one process',
    ('random', 'pool'): 'random, pool',
    ('policy', 'process'): 'policy, one process',
    ('policy', 'pool'): 'policy, pool',
}


def main(_) -> None:
  """Measures the domains that the flags ask for."""
  from r2i_tf import run_config

  variant = 'debug' if report.QUICK.value else ''
  seconds = 0.5 if report.QUICK.value else report.SECONDS.value
  rows = []
  for domain in every_domain.DOMAIN.value:
    run = run_config.RunConfig.preset(domain, variant)
    rows.append(
        {'domain': domain, **measure(run, _ENVIRONMENTS.value, seconds)}
    )
    print(row_line(rows[-1]), flush=True)
  record = {
      'machine': report.machine(),
      'environments': _ENVIRONMENTS.value,
      'rows': rows,
  }
  report.finish('collecting', record, tables(record))


def measure(run: Any, count: int, seconds: float) -> dict[str, Any]:
  """Measures one domain.

  Args:
    run: A `RunConfig`: its task and its agent.
    count: Environments.
    seconds: Timing of all ways together, a turn of each at least.

  Returns:
    The task, the seconds in which the pool starts, and steps a second of all
    environments together by 'random' or 'policy', then 'process' or 'pool'.
  """
  from benchmarks import agents

  policy = agents.build(agents.run_setting(run)).collect_policy
  with contextlib.ExitStack() as stack:
    one = stack.enter_context(_batch(run, count, None))
    start = time.monotonic()
    pool = stack.enter_context(_batch(run, count, run.pool))
    start = time.monotonic() - start
    speeds = _calls_per_second(
        {
            ('random', 'process'): _at_random(one),
            ('policy', 'process'): _acting(one, policy),
            ('random', 'pool'): _at_random(pool),
            ('policy', 'pool'): _acting(pool, policy),
        },
        seconds,
    )
  row = {'task': run.task, 'pool_start_seconds': start}
  for (action, place), speed in speeds.items():
    row.setdefault(action, {})[place] = count * speed
  return row


def _calls_per_second(
    functions: Mapping[_Way, Callable[[], Any]], seconds: float
) -> dict[_Way, float]:
  """Times functions in turn, many calls each turn.

  Their mean is taken, because the slow reset of an episode belongs to its
  steps.
  """
  for function in functions.values():
    function()
  calls, spent = dict.fromkeys(functions, 0), dict.fromkeys(functions, 0.0)
  while not all(calls.values()) or sum(spent.values()) < seconds:
    for way, function in functions.items():
      start = time.perf_counter()
      while time.perf_counter() - start < _TURN:
        function()
        calls[way] += 1
      spent[way] += time.perf_counter() - start
  return {way: calls[way] / spent[way] for way in functions}


@contextlib.contextmanager
def _batch(run: Any, count: int, pool: Any) -> Iterator[Any]:
  from r2i_tf import environments

  batch = environments.load_batch(run.task, 0, count, run.environment, pool)
  try:
    batch.reset()
    yield batch
  finally:
    batch.close()


def _at_random(environment: Any) -> Callable[[], Any]:
  """Returns what takes a step with random actions."""
  spec, random = environment.action_spec(), np.random.default_rng(0)
  shape = (environment.batch_size, *spec.shape)

  def step():
    if np.issubdtype(spec.dtype, np.integer):
      action = random.integers(spec.minimum, spec.maximum + 1, shape)
    else:
      action = random.uniform(spec.minimum, spec.maximum, shape)
    return environment.step(action.astype(spec.dtype))

  return step


def _acting(environment: Any, policy: Any) -> Callable[[], Any]:
  """Returns what takes a step with the actions of a policy."""
  from tf_agents.environments import tf_py_environment
  from tf_agents.utils import common

  wrapped = tf_py_environment.TFPyEnvironment(environment)
  state = policy.get_initial_state(environment.batch_size)

  @common.function
  def act(state):
    step = policy.action(wrapped.current_time_step(), state)
    wrapped.step(step.action)
    return step.state

  def step():
    nonlocal state
    state = act(state)

  return step


def row_line(row: dict[str, Any]) -> str:
  """Returns what is printed of a domain as soon as it is measured."""
  speeds = ', '.join(
      f'{name}: {row[action][place]:,.0f}'
      for (action, place), name in _WAYS.items()
  )
  return f'{row["domain"]}, {row["task"]}, steps/s: {speeds}'


def tables(record: dict[str, Any]) -> dict[str, str]:
  """Returns the table, by the name of its place."""
  header = ['config', 'task', *_WAYS.values(), 'start of the pool (s)']
  rows = [
      [
          row['domain'],
          row['task'],
          *(row[action][place] for action, place in _WAYS),
          row['pool_start_seconds'],
      ]
      for row in record['rows']
  ]
  return {
      'collecting': (
          f'{report.machine_line(record["machine"])} {record["environments"]}'
          f' environments.\n\n{report.markdown(header, rows)}'
      )
  }


if __name__ == '__main__':
  command_line.run(main)
