"""Keeps the experience of a run, for collectors and a learner elsewhere.

python launch/replay_server.py --config=bsuite --workdir=runs/first/server
"""

from r2i_tf.programs import replay_server

if __name__ == '__main__':
  replay_server.main()
