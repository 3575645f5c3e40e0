"""The groups of parameters of an agent, their gradients and their optimisers.

Each group is clipped by a norm of its own, or each of its variables is, and has
an optimiser of its own; its gradient comes in the blocks of that.
"""

from collections.abc import Mapping
from collections.abc import Sequence

import tensorflow as tf

from r2i_tf import config as agent_config
from r2i_tf import networks
from r2i_tf import rematerialization
from r2i_tf.agents import optimizer as optimizer_lib
from r2i_tf.behavior import ActorCritic
from r2i_tf.world_model import WorldModel

# By group.
Gradients = dict[str, optimizer_lib.Blocks]

_ROW = 4096


class Updates(tf.Module):
  """What changes the variables of world model, actor and critic.

  Attributes:
    of_world_model: The names of the world model's groups; actor and critic have
      one each, of their name.
  """

  def __init__(
      self,
      world_model: WorldModel,
      behavior: ActorCritic,
      config: agent_config.R2IConfig,
  ):
    """Creates the optimisers.

    Args:
      world_model: Its variables exist.
      behavior: Its variables exist.
      config: The hyperparameters.
    """
    super().__init__(name='updates')
    networks_of = {
        'world_model': (
            config.world_model_optimizer,
            world_model.other_variables,
            world_model.parameter_groups,
        ),
        'actor': (config.actor_optimizer, behavior.actor_variables, ()),
        'critic': (config.critic_optimizer, behavior.critic_variables, ()),
    }
    self._settings: dict[str, agent_config.OptimizerConfig] = {}
    self._variables_of: dict[str, tuple[tf.Variable, ...]] = {}
    self._optimizers: dict[str, optimizer_lib.GroupAdam] = {}
    for name, (settings, variables, apart) in networks_of.items():
      group = networks.ParameterGroup(
          name, variables, settings.learning_rate, settings.weight_decay
      )
      groups = [group, *apart]
      for group in groups:
        self._settings[group.name] = settings
        self._variables_of[group.name] = group.variables
        self._optimizers[group.name] = optimizer_lib.GroupAdam(
            group,
            settings.epsilon,
            settings.warmup_steps,
            settings.update_clip,
        )
    self.of_world_model = (
        'world_model',
        *(group.name for group in world_model.parameter_groups),
    )

  @property
  def trained_variables(self) -> tuple[tf.Variable, ...]:
    """What the optimisers change."""
    return tuple(v for group in self._variables_of.values() for v in group)

  @property
  def optimizers(self) -> Mapping[str, optimizer_lib.GroupAdam]:
    """The optimiser of each group."""
    return self._optimizers

  def watch(self, tape: tf.GradientTape, groups: Sequence[str]) -> None:
    """Has a tape record the variables of some groups.

    Args:
      tape: Watches nothing by itself.
      groups: Their names.
    """
    tape.watch([v for group in groups for v in self._variables_of[group]])

  def gradients(
      self, tape: tf.GradientTape, loss: tf.Tensor, groups: Sequence[str]
  ) -> Gradients:
    """Returns the gradients of some groups.

    Args:
      tape: Has recorded the loss.
      loss: A scalar.
      groups: Their names.
    """
    variables = [list(self._variables_of[group]) for group in groups]
    gradients = tape.gradient(
        loss, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO
    )
    return {
        group: _whole(self._optimizers[group].join(of_group))
        for group, of_group in zip(groups, gradients)
    }

  def apply(
      self, gradients: Gradients
  ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Clips and applies all gradients, or none of them.

    Args:
      gradients: Those of every group, the same on every replica.

    Returns:
      Whether they were applied, bool scalar, and the norm of each group before
      it was clipped.
    """
    clipped: Gradients = {}
    norms: dict[str, tf.Tensor] = {}
    for name, settings in self._settings.items():
      gradient = gradients[name]
      for block, shape in zip(gradient, self._optimizers[name].shapes):
        block.set_shape(shape)  # What has come from other hosts has lost it.
      norm = _norm(gradient)
      if settings.adaptive_clip is None:
        clipped[name], _ = tf.clip_by_global_norm(
            gradient, settings.clip_norm, norm
        )
      else:
        clipped[name] = self._optimizers[name].clip_adaptively(
            gradient, settings.adaptive_clip
        )
      norms[f'{name}/gradient_norm'] = norm
    finite = tf.reduce_all(tf.math.is_finite(tf.stack(list(norms.values()))))
    for name, optimizer in self._optimizers.items():
      optimizer.apply(clipped[name], finite)
    return finite, norms


def _whole(blocks: optimizer_lib.Blocks) -> optimizer_lib.Blocks:
  """Returns the blocks once all of them are there, as a vector would be.

  Else XLA may put one off, and keeps the activations that it is made of.
  """
  return rematerialization.together(blocks) if len(blocks) > 1 else blocks


def _norm(blocks: optimizer_lib.Blocks) -> tf.Tensor:
  """Returns the Euclidean norm of all elements of float32 arrays.

  A float32 to which one square after the other is added stops growing at 2^24
  of them, and a large model has more: so the norm of the norms of rows. (XLA
  would make one sum of a sum of sums.)
  """
  norms = []
  for block in blocks:
    if block.shape.rank > 1:
      norms.append(tf.reshape(tf.norm(block, axis=-1), [-1]))
      continue
    whole = block.shape[0] - block.shape[0] % _ROW
    rows = tf.reshape(block[:whole], [-1, _ROW])
    norms += [tf.norm(rows, axis=1), block[whole:]]
  return tf.norm(tf.concat(norms, 0))
