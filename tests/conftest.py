"""Settings of every test process, made before TensorFlow is loaded.

The models here are tiny: what takes time is not running them but compiling
them, so LLVM is told not to optimise, nor to take those passes that are costly
all the same. Processes that a test starts inherit it.
"""

import os

os.environ.setdefault(
    'XLA_FLAGS',
    '--xla_backend_optimization_level=0'
    ' --xla_llvm_disable_expensive_passes=true'
    ' --xla_disable_hlo_passes=tree_reduction_rewriter',
)
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
# Tests compile what they run: programs keep and find nothing on the disk.
os.environ.setdefault('TF_XLA_FLAGS', '')

import r2i_tf  # noqa: E402, F401  tf.keras is Keras 2 from here on.
