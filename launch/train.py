"""Trains R2I on a task, from the start or from where the run stopped.

python launch/train.py --config=quickstart --workdir=runs/first
"""

from r2i_tf.programs import train

if __name__ == '__main__':
  train.main()
