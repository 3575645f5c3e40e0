"""Collects experience for a run, of which it knows nothing but the address.

python launch/collect.py --replay_address=server:8765
"""

from r2i_tf.programs import collect

if __name__ == '__main__':
  collect.main()
