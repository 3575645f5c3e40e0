"""A run of several processes, and what it bears: the faults of each of them.

One run goes through all of it, in the order of this file: starting a learner
compiles its train step, which is most of the time that these tests take. Ten
signals come at random times; `tests/acceptance/storm.py` sends more.
"""

import random
import signal
import time

import numpy as np
import pytest

reverb = pytest.importorskip('reverb')

from r2i_tf.replay.reverb import connection  # noqa: E402
from r2i_tf.replay.reverb import tables  # noqa: E402
from r2i_tf.roles import ports  # noqa: E402
from tests.roles import runs  # noqa: E402

_LONGEST = 3.0  # Seconds before a kill, at a random time.
_STOP = 30  # Seconds in which a learner that is asked to stop has ended.


@pytest.fixture(name='run', scope='module')
def _run(tmp_path_factory):
  directory = tmp_path_factory.mktemp('run')
  run = runs.Run(directory, ports.free_port(0), collectors=2)
  run.start()
  try:
    run.until_trained(20, 180)
    yield run
  finally:
    run.end()


def _counts(run):
  """Returns how many sequences were inserted and sampled."""
  info = reverb.Client(run.address).server_info(timeout=10)
  limiter = info[tables.EXPERIENCE].rate_limiter_info
  return np.array(
      [limiter.insert_stats.completed, limiter.sample_stats.completed]
  )


def _kill(process):
  """Kills it at a random time."""
  seconds = random.uniform(0, _LONGEST)
  print(f'{process.name} is killed after {seconds:.2f} s')  # For a failure.
  time.sleep(seconds)
  process.kill()


def test_the_ratio_is_the_configured_one(run):
  """Within 5%, once the run has begun."""
  before = _counts(run)
  run.until(lambda: _counts(run)[1] - before[1] > 1_000, 60, 'a ratio')
  inserted, sampled = _counts(run) - before
  ratio = sampled * runs.SEQUENCE / (inserted * runs.STRIDE)
  assert ratio == pytest.approx(runs.RATIO, rel=0.05)


def test_the_learner_counts_what_the_collectors_do(run):
  """Steps, episodes and returns, from their reports."""
  run.until(lambda: run.record()['episodes'] > 0, 30, 'an episode')
  record = run.record()
  # Episodes of memory_len have a length: 11 transitions at this setting.
  assert record['environment_steps'] >= 11 * record['episodes']
  assert -1 <= record['mean_return_100'] <= 1


def test_collectors_take_in_new_weights(run):
  """Each says with which it began."""
  for collector in run.collectors:
    assert 'with the weights of train step' in collector.text()


def test_a_collector_that_dies_holds_nobody_up(run):
  """And one that joins late needs the address alone."""
  for starts in (2, 3):
    for collector in run.collectors:
      _kill(collector)
      if collector is run.collectors[0]:
        run.until_trained(20, 30)  # By the other one.
      collector.start()
    run.until(
        lambda starts=starts: all(
            c.text().count('collecting bsuite') == starts
            for c in run.collectors
        ),
        60,
        'collectors that collect again',
    )
    run.until_trained(20, 30)


def test_a_server_that_dies_is_waited_for(run):
  """Nobody ends, each says so once, and all go on when it is back."""
  run.until_trained(5, 60)
  _kill(run.server)
  waiting = [run.learner, *run.collectors]
  gone = f'server at {run.address} is gone'
  run.until(
      lambda: all(p.text().count(gone) == 1 for p in waiting),
      30,
      'word of the outage',
  )
  before = run.train_steps()
  run.server.start()
  run.until(
      lambda: connection.is_open(run.address), 30, 'a server that is back'
  )
  run.until(lambda: run.train_steps() > before + 20, 30, 'training again')
  assert all(p.text().count(gone) == 1 for p in waiting)
  assert 'sequences' in run.server.text()


def test_a_learner_that_is_killed_goes_on_from_its_checkpoint(run):
  """It loses what came after it, and no more."""
  run.until(lambda: run.checkpoint() > 0, 30, 'a checkpoint')
  _kill(run.learner)
  last = run.checkpoint()
  run.learner.start()
  run.until(
      lambda: f'going on from train step {last:,} of' in run.learner.text(),
      90,
      'a learner that goes on',
  )
  run.until_trained(10)
  assert run.train_steps() > last


def test_a_learner_that_is_stopped_saves(run):
  """Also while the server is dead, and the data with it."""
  _kill(run.server)
  run.until(
      lambda: run.learner.text().rstrip().endswith('waiting for it'),
      30,
      'a learner that waits',
  )
  time.sleep(random.uniform(0, _LONGEST))
  run.learner.send(signal.SIGTERM)
  assert run.learner.wait(_STOP) == 0
  saved = run.checkpoint()
  assert saved == run.train_steps()
  # All of them are dead: the collectors, too.
  for collector in run.collectors:
    _kill(collector)
  run.start()
  run.until_trained(10, 120)
  going_on = f'going on from train step {saved:,} of'
  assert going_on in run.learner.text()


def test_all_end_when_they_are_asked_to(run):
  """With exit code 0, whatever they are doing; the server saves."""
  for process in run.processes:
    process.send(signal.SIGTERM)
  for process in run.processes:
    assert process.wait(_STOP) == 0, process.text()[-2000:]
  assert 'saved' in run.server.text()
