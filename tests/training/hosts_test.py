"""A run of two hosts: processes with environments and a replay of their own."""

import json
import signal

import pytest
import tensorflow as tf

from r2i_tf import errors
from r2i_tf.training import checkpoints
from r2i_tf.training import hosts as hosts_lib
from r2i_tf.training import schedule
from r2i_tf.training import strategies
from tests import processes
from tests.training import hosts_program as program

_MODULE = 'tests.training.hosts_program'


def _start_two(workdir, *arguments):
  return processes.start_hosts(2, _MODULE, workdir, *arguments)


def _summary(process):
  output, messages = process.communicate(timeout=120)
  assert process.returncode == 0, messages[-3000:]
  return json.loads(output.splitlines()[-1]), messages


def test_two_hosts_then_one(tmp_path):
  """They share steps and train together; the run goes on with one of them.

  The chief exports, evaluates and has the agent; each host has its replay.
  """
  (chief, _), (other, _) = map(_summary, _start_two(tmp_path, 120))
  assert chief['environment_steps'] == other['environment_steps'] == 120
  due = schedule.train_steps_after(120, program.config(120))
  assert chief['train_steps'] == other['train_steps'] == due // 2 * 2 > 0
  assert chief['weight'] == other['weight'] == due // 2 * 2
  assert chief['episodes'] == other['episodes'] == 24
  assert chief['evaluation'] and not other['evaluation']
  assert chief['policy'] and not other['policy']
  for folder, has_agent in ((tmp_path, True), (tmp_path / 'hosts/1', False)):
    [newest] = checkpoints.checkpoints_in(folder / 'checkpoints')
    assert checkpoints.step_of(newest) == 120
    names = [name for name, _ in tf.train.list_variables(f'{newest}/variables')]
    assert any('agent' in name for name in names) == has_agent
    assert list(newest.glob('replay-*.npz'))

  # The other host has lost its disk, and takes the weights from the chief.
  (tmp_path / 'hosts').rename(tmp_path / 'gone')
  (chief, _), (other, _) = map(_summary, _start_two(tmp_path, 200))
  assert chief['environment_steps'] == other['environment_steps'] == 200
  assert chief['weight'] == other['weight'] == chief['train_steps'] > due

  alone, messages = _summary(processes.start(_MODULE, tmp_path, 320))
  assert 'a run of 2 hosts and is one of 1 now' in messages
  assert alone['environment_steps'] == 320
  assert alone['weight'] == alone['train_steps'] > chief['train_steps']


def test_hosts_that_only_train_stop_together(tmp_path):
  """Their time is up at the same train step, however many are still due."""
  both = _start_two(tmp_path, 200, 1e9, 0.05)
  (chief, _), (other, _) = map(_summary, both)
  assert chief['stopped'] == other['stopped'] == 'MINUTES'
  assert chief['environment_steps'] == other['environment_steps'] == 42
  assert chief['train_steps'] == other['train_steps'] > 0
  assert chief['weight'] == other['weight'] == chief['train_steps']


def test_hosts_collect_while_they_train(tmp_path):
  """Each with a step in flight: all count alike, and the ratio is exact."""
  both = _start_two(tmp_path, 120, 4, 10, 'overlapped')
  (chief, _), (other, _) = map(_summary, both)
  assert chief['environment_steps'] == other['environment_steps'] == 120
  due = schedule.train_steps_after(120, program.config(120)) // 2 * 2
  assert chief['train_steps'] == other['train_steps'] == due > 0
  assert chief['weight'] == other['weight'] == due


def test_a_lost_host_ends_the_run_of_the_other(tmp_path):
  """It is one sentence, and not a wait without end."""
  chief, other = _start_two(tmp_path, 10_000_000)
  for line in other.stderr:
    if 'compiling the train step' in line:
      break
  other.send_signal(signal.SIGKILL)
  other.communicate()
  _, messages = chief.communicate(timeout=120)
  assert chief.returncode == 1
  assert 'another of the 2 hosts is gone' in messages.splitlines()[-1]


def test_what_hosts_share_has_to_divide():
  """An environment belongs to one host, a sequence to one replica."""
  strategy = tf.distribute.get_strategy()
  hosts = hosts_lib.Hosts(strategy)
  assert hosts.share('parallel_environments', 5) == 5
  hosts.count = 2
  with pytest.raises(errors.RunError, match='parallel_environments is 5'):
    hosts.share('parallel_environments', 5)
  assert strategies.check_batch(5, strategy) == 5
