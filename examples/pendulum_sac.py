"""SAC in a TF-Agents pipeline; the pendulum that it swings hides its speed.

The beginning of docs/tutorial.md, which makes pendulum_r2i.py of it. POPGym's
PositionOnlyPendulum shows where the pendulum is, not how it moves, which takes
two observations to tell. SAC's policy sees one. The best return is 1.

    TF_CPP_MIN_LOG_LEVEL=3 python examples/pendulum_sac.py --policy=policy
"""

from collections.abc import Sequence

from absl import app
from absl import flags
import tensorflow as tf

import r2i_tf  # noqa: F401  Before TF-Agents: chooses the Keras 2 it needs.

# isort: split
from tf_agents.agents.ddpg import critic_network
from tf_agents.agents.sac import sac_agent
from tf_agents.agents.sac import tanh_normal_projection_network
from tf_agents.drivers import dynamic_step_driver
from tf_agents.environments import tf_py_environment
from tf_agents.metrics import tf_metrics
from tf_agents.networks import actor_distribution_network
from tf_agents.policies import policy_saver
from tf_agents.replay_buffers import tf_uniform_replay_buffer
from tf_agents.utils import common

from r2i_tf import environments

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
) -> sac_agent.SacAgent:
  """Returns SAC with the numbers of TF-Agents' own example, but one."""
  action_spec = environment.action_spec()
  critic = critic_network.CriticNetwork(
      (environment.observation_spec(), action_spec),
      joint_fc_layer_params=(256, 256),
  )
  actor = actor_distribution_network.ActorDistributionNetwork(
      environment.observation_spec(),
      action_spec,
      fc_layer_params=(256, 256),
      continuous_projection_net=(
          tanh_normal_projection_network.TanhNormalProjectionNetwork
      ),
  )
  return sac_agent.SacAgent(
      environment.time_step_spec(),
      action_spec,
      critic_network=critic,
      actor_network=actor,
      actor_optimizer=tf.keras.optimizers.Adam(3e-4),
      critic_optimizer=tf.keras.optimizers.Adam(3e-4),
      alpha_optimizer=tf.keras.optimizers.Adam(3e-4),
      target_update_tau=0.005,
      gamma=0.99,
      # POPGym brings rewards of -16 to 0 to 1/200 of [-1, 1]. SAC is set up for
      # their own size.
      reward_scale_factor=1_600.0,
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
  for _ in range(PREFILL):
    time_step, _ = collect(time_step)

  batches = iter(replay.as_dataset(sample_batch_size=256, num_steps=2))
  for iteration in range(1, _ITERATIONS.value + 1):
    time_step, _ = collect(time_step)
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
