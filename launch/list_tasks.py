"""Prints the name of every task that can be trained on, one on each line.

python launch/list_tasks.py | grep memory

For each suite that is not installed, a line on standard error says what to
install.
"""

import sys

from r2i_tf.programs import command_line


def main(_) -> None:
  """Prints the tasks."""
  from r2i_tf import environments

  print(*environments.list_tasks(), sep='\n')
  for sentence in environments.missing_suites():
    print(sentence, file=sys.stderr)


if __name__ == '__main__':
  command_line.run(main)
