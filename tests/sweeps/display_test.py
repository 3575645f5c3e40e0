"""Tests of the display of a sweep, on a terminal and in a log."""

import io

import pytest

from r2i_tf.sweeps import display
from r2i_tf.sweeps import runs
from r2i_tf.sweeps import settings
from tests.reports import made


class _Terminal(io.StringIO):

  def isatty(self):
    return True


@pytest.fixture(autouse=True)
def _always_due(monkeypatch):
  monkeypatch.setattr(display, '_LIVE_SECONDS', 0.0)
  monkeypatch.setattr(display, '_PLAIN_SECONDS', 0.0)


def _runs(tmp_path):
  setting = settings.Setting(
      'gru', 'bsuite/catch/0', 'quickstart', {'steps': 100}, seeds=(3, 4)
  )
  found = runs.expand([setting], tmp_path)
  made.run(found[0].workdir, [1.0, 2.0], over=False)
  return found


def _screen(written):
  """Returns the lines that a terminal would show."""
  lines = ['']
  rest = written
  while rest:
    if rest.startswith('\x1b['):
      code, rest = rest[2:], ''
      count = ''.join(c for c in code if c.isdigit() or c.isalpha())
      number = count[: next(i for i, c in enumerate(count) if c.isalpha())]
      end = len(number) + 1
      if code[len(number)] == 'A':
        lines = lines[: len(lines) - int(number) - 1] + ['']
      rest = code[end:]
    else:
      char, rest = rest[0], rest[1:]
      if char == '\n':
        lines.append('')
      elif char != '\r':
        lines[-1] += char
  return lines


def test_a_terminal_has_one_table(tmp_path):
  """It is drawn over itself, below the lines that stay."""
  first, second = _runs(tmp_path)
  stream = _Terminal()
  shown = display.Display(0, 2, stream)
  for run in (first, second):
    shown.started(run)
  for _ in range(3):
    shown.show([first, second], 0)
  shown.finished(first)
  shown.show([second], 0)
  lines = _screen(stream.getvalue())
  assert lines[0].startswith(f'{first.key} started from step 20')
  assert lines[1] == f'{second.key} started'
  assert lines[2].startswith(f'{first.key} finished: 20 steps')
  assert lines[3].split() == list(display._HEADINGS)
  assert lines[4].split()[:4] == ['gru', 'bsuite/catch/0', '4', '0']
  assert lines[5:] == ['1 of 2 runs finished, 1 running, 0 waiting', '']


def test_a_log_has_plain_lines(tmp_path):
  """No escape, no line that is written over."""
  first, _ = _runs(tmp_path)
  stream = io.StringIO()
  shown = display.Display(1, 2, stream)
  shown.started(first)
  shown.show([first], 1)
  shown.failed(first, 'exit code 1: why')
  text = stream.getvalue()
  assert '\x1b' not in text and '\r' not in text
  assert '1 of 3 runs are finished already' in text
  assert 'bsuite/catch/0 gru 3: 20 steps' in text
  assert '1 of 3 runs finished, 1 running, 1 waiting' in text
  assert f'FAILED, exit code 1: why\n  its log: {first.log}' in text
