"""Prints the name of every task that can be trained on, one on each line.

r2i-tasks | grep memory

For each suite that is not installed, a line on standard error says what to
install.
"""

import sys

from r2i_tf.programs import command_line


def main() -> None:
  """Runs the program."""
  command_line.run(lambda _: _print_tasks())


def _print_tasks() -> None:
  from r2i_tf import environments

  print(*environments.list_tasks(), sep='\n')
  for sentence in environments.missing_suites():
    print(sentence, file=sys.stderr)
