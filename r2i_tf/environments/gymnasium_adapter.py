"""Takes a Gymnasium environment to `dm_env`.

A termination ends the episode with discount 0, a truncation alone with
discount 1. Spaces become arrays as `observation_spaces` and `action_spaces`
say.
"""

from typing import Any, Optional

import dm_env
from dm_env import specs
import gymnasium

from r2i_tf.environments import action_spaces
from r2i_tf.environments import casts
from r2i_tf.environments import observation_spaces
from r2i_tf.environments.suites import gymnasium as gymnasium_lib


class GymnasiumEnvironment(dm_env.Environment):
  """A Gymnasium environment; the first of its episodes is seeded.

  Attributes:
    info: What it said beside its last observation; no agent sees it.
  """

  def __init__(
      self,
      environment: gymnasium.Env,
      seed: int,
      options: Optional[gymnasium_lib.GymnasiumOptions] = None,
      join_actions: bool = False,
  ) -> None:
    """Takes over `environment`.

    Args:
      environment: The environment.
      seed: Of all its randomness, from 0 to 2^32 - 1.
      options: How its observations become arrays; None takes the defaults.
      join_actions: MultiDiscrete actions become one integer.

    Raises:
      specs.UnsupportedSpecError: R2I cannot take one of its spaces.
      schema.ConfigError: An option does not fit its observations.
    """
    self._environment = environment
    self._seed: Optional[int] = seed
    self._observation_spec, self._observe = observation_spaces.observation(
        environment.observation_space,
        options or gymnasium_lib.GymnasiumOptions(),
    )
    self._action_spec, self._act = action_spaces.action(
        environment.action_space, join_actions
    )
    self._over = True
    self.info: dict[str, Any] = {}

  def reset(self) -> dm_env.TimeStep:
    """Starts an episode."""
    # Seeded once: a seed in each reset would repeat the first episode.
    observation, self.info = self._environment.reset(seed=self._seed)
    self._seed = None
    self._over = False
    return dm_env.restart(self._observe(observation))

  def step(self, action: Any) -> dm_env.TimeStep:
    """Takes a step; after the end of an episode, starts one."""
    if self._over:
      return self.reset()
    observation, reward, terminated, truncated, self.info = (
        self._environment.step(self._act(action))
    )
    self._over = bool(terminated or truncated)
    casts.number('reward', reward)
    observation, reward = self._observe(observation), float(reward)
    if terminated:
      return dm_env.termination(reward, observation)
    if truncated:
      return dm_env.truncation(reward, observation)
    return dm_env.transition(reward, observation)

  def render(self) -> Any:
    """Returns an image of now, where the environment was made to have one."""
    return self._environment.render()

  def observation_spec(self) -> Any:
    """Returns the specs of an observation."""
    return self._observation_spec

  def action_spec(self) -> specs.Array:
    """Returns the spec of an action."""
    return self._action_spec

  def close(self) -> None:
    """Frees the resources of the environment."""
    self._environment.close()
