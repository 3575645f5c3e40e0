"""The world model: all that the agent knows of its environment."""

from r2i_tf.world_model.features import Features
from r2i_tf.world_model.structures import Carry
from r2i_tf.world_model.structures import Experience
from r2i_tf.world_model.structures import Imagined
from r2i_tf.world_model.structures import State
from r2i_tf.world_model.world_model import Observed
from r2i_tf.world_model.world_model import WorldModel

__all__ = [
    'Carry',
    'Experience',
    'Features',
    'Imagined',
    'Observed',
    'State',
    'WorldModel',
]
