"""Runs settings times seeds, so many at a time, and goes on where it stopped.

python launch/sweep.py --sweep=my_sweep.py --workdir=runs/sweep --parallel=2
"""

from r2i_tf.programs import sweep

if __name__ == '__main__':
  sweep.main()
