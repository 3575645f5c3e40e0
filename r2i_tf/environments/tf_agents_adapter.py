"""Takes a TF-Agents environment to `dm_env`, where it is checked as all others.

From there it goes on to TF-Agents again, with float32 rewards and discounts.
"""

import contextlib
from typing import Any

import dm_env
from dm_env import specs
import tree


class TFAgentsEnvironment(dm_env.Environment):
  """A `PyEnvironment` of TF-Agents, without a batch dimension."""

  def __init__(self, environment: Any, seed: int) -> None:
    """Takes over `environment`.

    Args:
      environment: The environment.
      seed: Of its randomness, if it takes one.
    """
    self._environment = environment
    # One that has no seed, or was made with it, says so in either way.
    with contextlib.suppress(NotImplementedError, AttributeError):
      environment.seed(seed)

  def reset(self) -> dm_env.TimeStep:
    """Starts an episode."""
    return _converted(self._environment.reset())

  def step(self, action: Any) -> dm_env.TimeStep:
    """Takes a step; after the end of an episode, starts one."""
    return _converted(self._environment.step(action))

  def observation_spec(self) -> Any:
    """Returns the specs of an observation."""
    return tree.map_structure(_spec, self._environment.observation_spec())

  def action_spec(self) -> Any:
    """Returns the spec of an action."""
    return tree.map_structure(_spec, self._environment.action_spec())

  def reward_spec(self) -> Any:
    """Returns the spec of a reward."""
    return tree.map_structure(_spec, self._environment.reward_spec())

  def discount_spec(self) -> Any:
    """Returns the spec of a discount."""
    return tree.map_structure(_spec, self._environment.discount_spec())

  def close(self) -> None:
    """Frees the resources of the environment."""
    self._environment.close()


def _spec(spec: Any) -> specs.Array:
  if hasattr(spec, 'minimum'):
    return specs.BoundedArray(
        spec.shape, spec.dtype, spec.minimum, spec.maximum, spec.name
    )
  return specs.Array(spec.shape, spec.dtype, spec.name)


def _converted(time_step: Any) -> dm_env.TimeStep:
  """Returns a step as `dm_env` has it: a first one has no reward."""
  kind = dm_env.StepType(int(time_step.step_type))
  first = kind is dm_env.StepType.FIRST
  return dm_env.TimeStep(
      kind,
      None if first else time_step.reward,
      None if first else time_step.discount,
      time_step.observation,
  )
