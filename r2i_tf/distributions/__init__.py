"""TFP distributions for the latents and the heads; know nothing of RL."""

from r2i_tf.distributions.one_hot import UnimixOneHotCategorical
from r2i_tf.distributions.one_hot import one_hot_groups
from r2i_tf.distributions.one_hot import unimix_log_probabilities
from r2i_tf.distributions.squared_error import SquaredError
from r2i_tf.distributions.symlog import symexp
from r2i_tf.distributions.symlog import symlog
from r2i_tf.distributions.two_hot import SymlogTwoHot

__all__ = [
    'SquaredError',
    'SymlogTwoHot',
    'UnimixOneHotCategorical',
    'one_hot_groups',
    'symexp',
    'symlog',
    'unimix_log_probabilities',
]
