"""Runs episodes with an exported policy and prints their returns as JSON.

python launch/evaluate.py --policy=runs/first/policies/greedy --episodes=100
"""

from r2i_tf.programs import evaluate

if __name__ == '__main__':
  evaluate.main()
