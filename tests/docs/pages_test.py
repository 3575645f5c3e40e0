"""The programs and commands that the how-to pages show."""

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

from tests.launch import manifests

_ROOT = pathlib.Path(__file__).parents[2]
_DOCS = _ROOT / 'docs'
_PAGES = (
    'faq.md',
    'how_to/evaluating.md',
    'how_to/images.md',
    'how_to/own_environment.md',
    'how_to/resuming.md',
    'how_to/watching.md',
    'quickstart.md',
)
# A program of the package and its flags, quoted or not.
_COMMAND = re.compile(
    rf"^({'|'.join(manifests.console_scripts())})"
    r"((?: +(?:'[^'\n]*'|[^\s'])+)+)",
    re.M,
)


def _text(page):
  return (_DOCS / page).read_text(encoding='utf-8')


def _blocks(page, language):
  """The blocks of code of a page, also those inside of lists."""
  fenced = re.compile(rf'^( *)```{language}\n(.*?)^ *```', re.M | re.S)
  return [
      re.sub(f'^{indent}', '', block, flags=re.M)
      for indent, block in fenced.findall(_text(page))
  ]


def _example(page, name):
  block = re.search(
      rf'<!-- \w+: {name} -->\n```python\n(.*?)^```', _text(page), re.M | re.S
  )
  return block[1]


def _commands():
  for page in _PAGES:
    for block in _blocks(page, 'sh'):
      for program, arguments in _COMMAND.findall(block.replace('\\\n', ' ')):
        yield ' '.join([program, *arguments.split()]).replace("'", '')


@pytest.mark.parametrize('command', sorted(set(_commands())))
def test_commands_can_be_pasted(command):
  """Its program takes every flag that is shown, with the value shown."""
  assert manifests.parsed(command.split())


def _run(directory, program):
  process = subprocess.run(
      [sys.executable, '-c', program],
      cwd=directory,
      env={**os.environ, 'PYTHONPATH': f'{_ROOT}{os.pathsep}{directory}'},
      capture_output=True,
      text=True,
      check=False,
  )
  assert process.returncode == 0, process.stderr
  return process.stdout


_WALK = """
from r2i_tf import environments

environment = environments.load('gymnasium/corridor:Corridor-v0?length=5', 0)
returns = set()
for _ in range(20):
  time_step, total = environment.reset(), 0.0
  action = int(time_step.observation['sign'][0] > 0)
  while not time_step.is_last():
    time_step = environment.step(action)
    total += float(time_step.reward)
  assert time_step.discount == 0.0
  returns.add(total)
print(returns)

from corridor import Corridor
"""


def test_the_corridor_is_an_environment(tmp_path):
  """By name and in a program; who remembers the sign is paid each time."""
  pytest.importorskip('gymnasium')
  page = 'how_to/own_environment.md'
  module = _example(page, 'corridor.py')
  (tmp_path / 'corridor.py').write_text(module, encoding='utf-8')
  (shown,) = [b for b in _blocks(page, 'python') if 'load_batch' in b]
  output = _run(tmp_path, f'{_WALK}{shown}print(corridors.batch_size)\n')
  assert output == '{1.0}\n8\n'


def test_the_record_can_be_read(tmp_path):
  """What the page on watching a run prints of each record."""
  run = tmp_path / 'runs' / 'first'
  run.mkdir(parents=True)
  record = {'environment_steps': 10, 'world_model/reward_loss': 0.5}
  (run / 'metrics.jsonl').write_text(f'{json.dumps(record)}\n')
  program = _example('how_to/watching.md', 'record')
  assert _run(tmp_path, program) == '10 0.5\n'


def test_the_tutorial_shows_its_programs():
  """A line of it stands in the program that it is said to be of."""
  sac, r2i = (
      (_ROOT / 'examples' / f'pendulum_{name}.py').read_text().splitlines()
      for name in ('sac', 'r2i')
  )
  (imported, *shown), changes = (
      _blocks('tutorial.md', language) for language in ('python', 'diff')
  )
  del imported
  for line in ''.join(shown).splitlines():
    assert _starts(line, sac) and _starts(line, r2i), line
  for line in ''.join(changes).splitlines():
    assert line[0] == '-' or _starts(line[1:], r2i), line
    assert line[0] == '+' or _starts(line[1:], sac), line


def _starts(line, program):
  """Whether a line of the program is this one, but for a comment."""
  return any(line in (other, other.partition('  #')[0]) for other in program)


def test_the_programs_of_the_tutorial_differ_where_it_says():
  """Every line that only one of them has below `make_agent` is shown."""
  sac, r2i = (
      (_ROOT / 'examples' / f'pendulum_{name}.py')
      .read_text()
      .partition('def main')[2]
      .splitlines()
      for name in ('sac', 'r2i')
  )
  changes = ''.join(_blocks('tutorial.md', 'diff')).splitlines()
  for line in sac:
    assert line in r2i or f'-{line}' in changes, line
  for line in r2i:
    assert line in sac or f'+{line}' in changes, line
