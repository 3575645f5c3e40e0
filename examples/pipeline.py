"""R2I in a TF-Agents pipeline: drivers, replay buffer and policy saver.

Everything but the agent and its configuration is as it would be with another
agent of TF-Agents. Two lines deserve attention: the policy has a state, which
goes from one call of the driver to the next, and a sequence from the replay may
run across the ends of episodes, where the agent resets its memory by itself.

The task is BSuite's memory_len: the agent is shown one bit at the beginning of
an episode and asked for it three steps later. The best return is 1. Some
minutes on two cores:

    TF_CPP_MIN_LOG_LEVEL=3 python examples/pipeline.py --policy=policy

For an environment of your own in place of the task, see custom_environment.py.
"""

import r2i_tf  # Before TF-Agents: that needs the Keras 2 which this chooses.

# isort: split
from collections.abc import Sequence

from absl import app
from absl import flags
import tensorflow as tf
from tf_agents.drivers import dynamic_step_driver
from tf_agents.environments import tf_py_environment
from tf_agents.metrics import tf_metrics
from tf_agents.policies import policy_saver
from tf_agents.replay_buffers import tf_uniform_replay_buffer
from tf_agents.utils import common

from r2i_tf import environments

_ITERATIONS = flags.DEFINE_integer(
    'iterations', 2_000, 'Steps of each environment, and train steps.'
)
_POLICY = flags.DEFINE_string(
    'policy', 'policy', 'Directory that the trained policy is saved to.'
)

TASK = 'bsuite/memory_len/2'
COPIES = 8  # Environments that step together.
BATCH_SIZE, LENGTH = 32, 64  # Sequences in a batch, and steps in each.


def main(argv: Sequence[str]) -> None:
  """Collects and trains in turn, and saves the policy."""
  del argv
  tf.keras.utils.set_random_seed(0)
  environment = tf_py_environment.TFPyEnvironment(
      environments.load_batch(TASK, seed=0, count=COPIES)
  )

  config = r2i_tf.R2IConfig.preset('debug')  # A model for two cores.
  agent = r2i_tf.R2IAgent(
      environment.time_step_spec(), environment.action_spec(), config=config
  )
  agent.initialize()

  replay = tf_uniform_replay_buffer.TFUniformReplayBuffer(
      agent.collect_data_spec, batch_size=COPIES, max_length=6_000
  )
  mean_return = tf_metrics.AverageReturnMetric(
      batch_size=COPIES, buffer_size=200
  )
  driver = dynamic_step_driver.DynamicStepDriver(
      environment,
      agent.collect_policy,
      observers=[replay.add_batch, mean_return],
      num_steps=COPIES,
  )
  collect, train = common.function(driver.run), common.function(agent.train)

  # Enough for the first sequences.
  time_step = environment.reset()
  state = agent.collect_policy.get_initial_state(COPIES)
  for _ in range(2 * LENGTH):
    time_step, state = collect(time_step, state)

  # The first train step compiles, which takes a while.
  batches = iter(
      replay.as_dataset(sample_batch_size=BATCH_SIZE, num_steps=LENGTH)
  )
  for iteration in range(1, _ITERATIONS.value + 1):
    time_step, state = collect(time_step, state)
    experience, _ = next(batches)
    loss_info = train(experience)
    if iteration % 100 == 0 or iteration == _ITERATIONS.value:
      print(
          f'iteration {iteration:,}: loss {loss_info.loss:.2f}, mean return'
          f' {mean_return.result():.2f}'
      )

  policy_saver.PolicySaver(agent.policy, batch_size=None).save(_POLICY.value)
  print(f'the policy is in {_POLICY.value}')


if __name__ == '__main__':
  app.run(main)
