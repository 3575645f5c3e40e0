"""Actor and critic: what the agent does with what it imagines."""

from r2i_tf.behavior.actor_critic import ActorCritic
from r2i_tf.behavior.actor_critic import Outcome

__all__ = ['ActorCritic', 'Outcome']
