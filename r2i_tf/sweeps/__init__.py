"""Sweeps: settings times seeds, each a run in a process of its own.

  a file's settings -> runs -> so many at a time -> their directories

`r2i-sweep` runs them, and `r2i_tf.reports` makes a page of what has come out.
A sweep file needs `Setting` alone; none of this loads TensorFlow.
"""

from r2i_tf.sweeps.settings import Setting

__all__ = ['Setting']
