"""What the user sees of a run."""

import io

import pytest

from r2i_tf.record import progress

_STATUS = progress.Status(
    environment_steps=1_500,
    steps=10_000,
    episodes=42,
    mean_return=0.5,
    environment_rate=100.0,
    train_rate=2.5,
    seconds_left=85.0,
)


class _Terminal(io.StringIO):

  def isatty(self):
    return True


def test_a_log_file_gets_plain_lines():
  """Without a terminal there is no carriage return and no escape sequence."""
  stream = io.StringIO()
  shown = progress.Progress(10_000, stream)
  shown.update(_STATUS)
  shown.line(_STATUS)
  shown.note('exporting')
  shown.close()
  assert stream.getvalue() == (
      '1,500/10,000 steps | return 0.5 | ETA 1m25s | 42 episodes'
      ' | 100 env/s | 2.5 train/s\nexporting\n'
  )


def test_a_terminal_gets_one_line_that_renews_itself():
  """On a terminal the same facts are shown in place."""
  stream = _Terminal()
  shown = progress.Progress(10_000, stream)
  shown.line(_STATUS)
  shown.close()
  assert '\r' in stream.getvalue()
  assert 'return 0.5 | ETA 1m25s | 42 episodes' in stream.getvalue()


@pytest.mark.parametrize('is_live', [False, True])
def test_a_stream_that_takes_nothing_ends_no_run(is_live):
  """Such as a log on a full disk, or the pipe to a program that has ended."""

  class Full(io.StringIO):

    def isatty(self):
      return is_live

    def write(self, text):
      raise OSError(28, 'No space left on device')

  shown = progress.Progress(10_000, Full())
  shown.line(_STATUS)
  shown.note('exporting')
  shown.close()


def test_durations_are_read_at_a_glance():
  """A time left has two units at most."""
  seconds = [0, 42, 192, 5 * 3600 + 420, 2 * 86400 + 3 * 3600]
  expected = ['0s', '42s', '3m12s', '5h07m', '2d03h']
  assert [progress.duration(s) for s in seconds] == expected
