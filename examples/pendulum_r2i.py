"""R2I in the pipeline of pendulum_sac.py; docs/tutorial.md goes through it.

POPGym's PositionOnlyPendulum shows where the pendulum is, not how it moves,
which takes two observations to tell. R2I remembers the one before. The best
return is 1.

    TF_CPP_MIN_LOG_LEVEL=3 python examples/pendulum_r2i.py --policy=policy
"""

from collections.abc import Sequence

from absl import app
from absl import flags
import tensorflow as tf

import r2i_tf  # Before TF-Agents: that needs the Keras 2 which this chooses.

# isort: split
from tf_agents.drivers import dynamic_step_driver
from tf_agents.environments import tf_py_environment
from tf_agents.metrics import tf_metrics
from tf_agents.policies import policy_saver
from tf_agents.replay_buffers import tf_uniform_replay_buffer
from tf_agents.utils import common

from r2i_tf import environments
from r2i_tf import run_config

_ITERATIONS = flags.DEFINE_integer(
    'iterations', 5_000, 'Steps of each environment, and train steps.'
)
_POLICY = flags.DEFINE_string(
    'policy', 'policy', 'Directory that the trained policy is saved to.'
)

TASK = 'popgym/PositionOnlyPendulumEasy'
COPIES = 4  # Environments that step together.
PREFILL = 512  # Steps of each environment before the first train step.


def make_agent(
    environment: tf_py_environment.TFPyEnvironment,
) -> r2i_tf.R2IAgent:
  """Returns R2I with the numbers of the recipe for poles and two cores."""
  config = run_config.RunConfig.preset('dmc_proprio', 'debug').agent
  return r2i_tf.R2IAgent(
      environment.time_step_spec(), environment.action_spec(), config=config
  )


def main(argv: Sequence[str]) -> None:
  """Collects and trains in turn, and saves the policy."""
  del argv
  tf.keras.utils.set_random_seed(0)
  environment = tf_py_environment.TFPyEnvironment(
      environments.load_batch(TASK, seed=0, count=COPIES)
  )
  agent = make_agent(environment)
  agent.initialize()

  replay = tf_uniform_replay_buffer.TFUniformReplayBuffer(
      agent.collect_data_spec, batch_size=COPIES, max_length=25_000
  )
  mean_return = tf_metrics.AverageReturnMetric(
      batch_size=COPIES, buffer_size=20
  )
  driver = dynamic_step_driver.DynamicStepDriver(
      environment,
      agent.collect_policy,
      observers=[replay.add_batch, mean_return],
      num_steps=COPIES,
  )
  collect, train = common.function(driver.run), common.function(agent.train)

  time_step = environment.reset()
  state = agent.collect_policy.get_initial_state(COPIES)
  for _ in range(PREFILL):
    time_step, state = collect(time_step, state)

  batches = iter(replay.as_dataset(sample_batch_size=8, num_steps=64))
  for iteration in range(1, _ITERATIONS.value + 1):
    time_step, state = collect(time_step, state)
    experience, _ = next(batches)
    loss_info = train(experience)
    if iteration % 250 == 0 or iteration == _ITERATIONS.value:
      print(
          f'iteration {iteration:,}: loss {loss_info.loss:.2f}, mean return'
          f' {mean_return.result():.2f}',
          flush=True,
      )

  policy_saver.PolicySaver(agent.policy, batch_size=None).save(_POLICY.value)
  print(f'the policy is in {_POLICY.value}')


if __name__ == '__main__':
  app.run(main)
