"""The experience that is kept, behind one small interface."""

from r2i_tf.replay.base import Replay
from r2i_tf.replay.base import Size
from r2i_tf.replay.disk import DiskReplay
from r2i_tf.replay.held_out import Part
from r2i_tf.replay.sampling import Sampling
from r2i_tf.replay.uniform import UniformReplay

__all__ = ['DiskReplay', 'Part', 'Replay', 'Sampling', 'Size', 'UniformReplay']
