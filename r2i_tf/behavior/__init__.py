"""Actor and critic, which learn from imagined trajectories."""

from r2i_tf.behavior.actor_critic import ActorCritic
from r2i_tf.behavior.actor_critic import Critique
from r2i_tf.behavior.actor_critic import Outcome
from r2i_tf.behavior.replayed import Replayed

__all__ = ['ActorCritic', 'Critique', 'Outcome', 'Replayed']
