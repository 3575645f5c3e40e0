"""Environment variables that TensorFlow reads while it loads.

Whatever the user has set stays. A program of one's own may want them, too
(README.md).
"""

import os

# LLVM's slowest passes take most of the time to the first train step, and the
# step is not faster for them. The rewriter makes two loops of each sum, and the
# first can no longer be joined to what it adds up.
_XLA_FLAGS = (
    '--xla_llvm_disable_expensive_passes=true'
    ' --xla_disable_hlo_passes=tree_reduction_rewriter'
)


def set_environment() -> None:
  """Makes training on CPUs faster; call it before TensorFlow is imported."""
  _hasten_compilation()
  _keep_memory()


def _hasten_compilation() -> None:
  """Spares XLA passes that do not pay, where it compiles for a CPU.

  Does nothing where there is a GPU, on which they have not been measured.
  """
  if not has_gpu():
    os.environ.setdefault('XLA_FLAGS', _XLA_FLAGS)


def _keep_memory() -> None:
  """Lets TensorFlow keep the memory on a CPU that an operation is done with.

  It would return it to the system, and each train step would be given
  hundreds of megabytes anew, page by page: a quarter of the step. The limit of
  the kept memory is 64 GB by default, also for a replay that needs more.
  """
  os.environ.setdefault('TF_CPU_ALLOCATOR_USE_BFC', '1')
  megabytes = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') >> 20
  os.environ.setdefault('TF_CPU_BFC_MEM_LIMIT_IN_MB', str(megabytes))


def has_gpu() -> bool:
  """Returns whether there is an NVIDIA GPU, without loading TensorFlow."""
  return os.path.exists('/dev/nvidiactl')
