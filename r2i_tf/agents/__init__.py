"""The agent and its policy, as TF-Agents knows them."""

from r2i_tf.agents.r2i_agent import R2IAgent
from r2i_tf.agents.r2i_policy import R2IPolicy
from r2i_tf.agents.spec_checks import check_specs

__all__ = ['R2IAgent', 'R2IPolicy', 'check_specs']
