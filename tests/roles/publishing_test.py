"""The learner's traffic with the server, beside its train steps."""

import socket
import time

import pytest
import tensorflow as tf

reverb = pytest.importorskip('reverb')

from r2i_tf import errors  # noqa: E402
from r2i_tf.replay.reverb import reports  # noqa: E402
from r2i_tf.replay.reverb import weights  # noqa: E402
from r2i_tf.roles import counts as counts_lib  # noqa: E402
from r2i_tf.roles import ports  # noqa: E402
from r2i_tf.roles import publishing  # noqa: E402
from tests.replay.reverb import servers  # noqa: E402


def _until(condition, seconds=30):
  deadline = time.monotonic() + seconds
  while not condition():
    assert time.monotonic() < deadline
    time.sleep(0.05)


def _publisher(address, variables, counts, check=lambda: None, seconds=1e6):
  return publishing.Publisher(address, variables, counts, seconds, check)


def test_weights_go_out_and_reports_come_in(tmp_path):
  """Weights as they were when they were given."""
  variable, copy = tf.Variable([1.0, 2.0]), tf.Variable([0.0, 0.0])
  counts = counts_lib.RemoteCounts()
  with servers.serve(tmp_path) as (address, _):
    client = reverb.Client(address)
    reports.push(client, reports.Report('a', 1, 10, 2, 0, (0.5, 0.7)))
    publisher = _publisher(address, [variable], counts)
    publisher.exchange(7)
    variable.assign([9.0, 9.0])
    _until(lambda: weights.are_there(client))
    assert weights.pull(client, [copy]) == 7
    assert copy.numpy().tolist() == [1.0, 2.0]

    def has_report():
      publisher.exchange(8)
      return counts.environment_steps == 10

    _until(has_report)
    assert counts.mean_return(2) == pytest.approx(0.6)
    publisher.close()


def test_a_server_that_does_not_answer_keeps_nobody_waiting():
  """Neither a train step nor a checkpoint hangs on it."""
  with socket.socket() as busy:
    busy.bind(('', 0))
    busy.listen()
    publisher = _publisher(
        f'localhost:{busy.getsockname()[1]}',
        [tf.Variable(1.0)],
        counts_lib.RemoteCounts(),
        seconds=0.0,
    )
    start = time.monotonic()
    for step in range(20):
      publisher.exchange(step)
    assert time.monotonic() - start < 2


def test_another_server_in_its_place_is_an_error(tmp_path):
  """Of the run, not of a thread that nobody asks."""

  def check():
    raise errors.RunError('it is for something else.')

  port = ports.free_port(0)
  publisher = _publisher(
      f'localhost:{port}', [tf.Variable(1.0)], counts_lib.RemoteCounts(), check
  )
  publisher.exchange(0)
  _until(lambda: publisher._traffic._is_lost)
  with servers.serve(tmp_path, port=port):
    with pytest.raises(errors.RunError, match='something else'):
      _until(lambda: publisher.exchange(1))
