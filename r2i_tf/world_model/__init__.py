"""The world model: what the agent knows of its environment."""

from r2i_tf.world_model.world_model import Experience
from r2i_tf.world_model.world_model import Imagined
from r2i_tf.world_model.world_model import State
from r2i_tf.world_model.world_model import WorldModel

__all__ = ['Experience', 'Imagined', 'State', 'WorldModel']
