"""Whether a configuration fits a TPU, on a machine that has none.

`check` traces the train step and has the real TPU compiler compile it, in an
environment of its own; `describe` puts its answer into words.
"""

from r2i_tf.tpu.check import check
from r2i_tf.tpu.report import Cost
from r2i_tf.tpu.report import Memory
from r2i_tf.tpu.report import Report
from r2i_tf.tpu.report import describe

__all__ = ['Cost', 'Memory', 'Report', 'check', 'describe']
