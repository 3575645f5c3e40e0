"""Shows what a run remembers and foresees.

python launch/look.py --workdir=runs/first
"""

from r2i_tf.programs import look

if __name__ == '__main__':
  look.main()
