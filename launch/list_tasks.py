"""Prints the name of every task that can be trained on, one on each line.

python launch/list_tasks.py | grep memory
"""

from r2i_tf.training import cli


def main(_) -> None:
  """Prints the tasks."""
  from r2i_tf import environments

  print(*environments.list_tasks(), sep='\n')


if __name__ == '__main__':
  cli.run(main)
