"""Runs a replay server, collectors, a learner and an evaluator on one machine.

python launch/local_cluster.py --config=quickstart --workdir=runs/first
"""

from r2i_tf.programs import local_cluster

if __name__ == '__main__':
  local_cluster.main()
