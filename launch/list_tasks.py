"""Prints the name of every task that can be trained on, one on each line.

python launch/list_tasks.py | grep memory
"""

from absl import app

from r2i_tf import environments


def main(argv):
  """Prints the tasks."""
  if len(argv) > 1:
    raise app.UsageError(f'list_tasks takes no arguments, found {argv[1:]}.')
  for task in environments.list_tasks():
    print(task)


if __name__ == '__main__':
  app.run(main)
