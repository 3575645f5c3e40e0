"""How fast is experience collected in each domain, and what does acting cost?

The environments of each file of configs/ step with random actions, and then
under the collect policy of its published agent; in one process, and in a pool:

  python -m benchmarks.collecting --seconds=5 --count=4

puts steps per second into docs/collecting.json and the table of
docs/performance.md. A step is one decision of the agent. `--quick` takes the
debug variants and writes nothing.
"""

import json
import pathlib
import time
from typing import Any, Callable, Dict

from absl import flags
import numpy as np

from benchmarks import agents
from benchmarks import every_domain
from benchmarks import report
from benchmarks import tables
from r2i_tf.training import cli

_COUNT = flags.DEFINE_integer('count', 4, 'Environments.')

_DOCS = pathlib.Path(__file__).resolve().parent.parent / 'docs'
_WARM_UP = 3  # Calls that are not counted.


def main(_) -> None:
  """Measures every domain and writes the table."""
  seconds = 0.5 if report.QUICK.value else report.SECONDS.value
  rows = []
  for domain in every_domain.DOMAINS:
    rows.append(_row(domain, seconds))
    print(json.dumps(rows[-1]), flush=True)
  record = {
      'machine': report.machine(),
      'environments': _COUNT.value,
      'rows': rows,
  }
  if report.QUICK.value:
    return
  text = json.dumps(record, indent=1) + '\n'
  _DOCS.joinpath('collecting.json').write_text(text)
  tables.insert(_DOCS / 'performance.md', 'collecting', _table(record))


def _row(domain: str, seconds: float) -> Dict[str, Any]:
  from r2i_tf import environments

  run = agents.load_run(domain, *(['debug'] if report.QUICK.value else []))
  policy = agents.build(agents.run_setting(run)).collect_policy
  row = {'domain': domain, 'task': run.task}
  for name, pool in (('process', None), ('pool', environments.PoolOptions())):
    batch = environments.load_batch(
        run.task, 0, _COUNT.value, run.environment, pool
    )
    row[name] = _steps_per_second(_at_random(batch), seconds)
    row[f'{name}_acting'] = _steps_per_second(_acting(batch, policy), seconds)
    batch.close()
  return row


def _at_random(environment: Any) -> Callable[[], Any]:
  """Returns what takes a step with random actions."""
  spec, random = environment.action_spec(), np.random.default_rng(0)
  shape = (environment.batch_size, *spec.shape)

  def step():
    action = random.uniform(spec.minimum, spec.maximum + 1e-6, shape)
    environment.step(action.astype(spec.dtype))

  environment.reset()
  return step


def _acting(environment: Any, policy: Any) -> Callable[[], Any]:
  """Returns what takes a step with the actions of a policy."""
  import tensorflow as tf
  from tf_agents.environments import tf_py_environment

  wrapped = tf_py_environment.TFPyEnvironment(environment)
  wrapped.reset()
  state = policy.get_initial_state(environment.batch_size)

  @tf.function
  def act(state):
    step = policy.action(wrapped.current_time_step(), state)
    wrapped.step(step.action)
    return step.state

  def step():
    nonlocal state
    state = act(state)

  return step


def _steps_per_second(step: Callable[[], Any], seconds: float) -> float:
  """Returns the steps of all environments together."""
  for _ in range(_WARM_UP):
    step()
  start, calls = time.monotonic(), 0
  while time.monotonic() - start < seconds:
    step()
    calls += 1
  return calls * _COUNT.value / (time.monotonic() - start)


def _table(record: Dict[str, Any]) -> str:
  header = [
      'domain',
      'task',
      'random, one process',
      'random, pool',
      'policy, one process',
      'policy, pool',
  ]
  rows = [
      [
          row['domain'],
          row['task'],
          *(round(row[n]) for n in ('process', 'pool')),
          *(row[f'{n}_acting'] for n in ('process', 'pool')),
      ]
      for row in record['rows']
  ]
  return (
      f'{report.machine_line(record["machine"])} {record["environments"]}'
      f' environments.\n\n{report.markdown(header, rows)}'
  )


if __name__ == '__main__':
  cli.run(main)
