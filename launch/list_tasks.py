"""Prints the name of every task that can be trained on, one on each line.

python launch/list_tasks.py | grep memory
"""

from r2i_tf.programs import tasks

if __name__ == '__main__':
  tasks.main()
