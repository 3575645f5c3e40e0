"""Tests of environments in processes, most of which die."""

import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.drivers import dynamic_step_driver
from tf_agents.environments import tf_py_environment
from tf_agents.policies import random_tf_policy
from tf_agents.replay_buffers import tf_uniform_replay_buffer
from tf_agents.trajectories import time_step as ts

from r2i_tf import environments
from r2i_tf import specs
from r2i_tf.environments.pool import environment_pool as pool_lib
from r2i_tf.environments.pool import process
from r2i_tf.environments.pool import process_environment
from r2i_tf.environments.suites import registry as suites
from tests.environments import fakes

FIRST, MID, LAST = (int(k) for k in (0, 1, 2))
RUN = fakes.Fragile.RUN


@pytest.fixture(name='make')
def _make():
  """Makes pools that are closed at the end of the test."""
  pools = []

  def make(task=fakes.Fragile, seeds=(5, 6), **options):
    pool_options = environments.PoolOptions(**options)
    pool = environments.EnvironmentPool(task, seeds, None, pool_options)
    pools.append(pool)
    return pool

  yield make
  for pool in pools:
    pool.close()


@pytest.fixture(name='log')
def _log(monkeypatch):
  """Returns the list of what a pool logs."""
  lines = []
  monkeypatch.setattr(
      pool_lib.logging,
      'error',
      lambda text, *arguments: lines.append(text % arguments),
  )
  return lines


def step(pool, *actions):
  return pool.step(np.array(actions, np.int32))


def ended(pid):
  """Returns whether a process is gone; a zombie is not."""
  return not pathlib.Path(f'/proc/{pid}').exists()


def ended_or_zombie(pid):
  """For a process that is not ours to wait for, but the system's."""
  try:
    stat = pathlib.Path(f'/proc/{pid}/stat').read_text()
  except OSError:
    return True
  return stat.rpartition(') ')[2].startswith('Z')


def test_pool_lives_the_episodes_of_a_batch():
  """Processes change nothing but the speed: same steps, specs and dtypes."""
  for task in ('bsuite/catch/0', fakes.Corridor):
    batch = environments.load_batch(task, 3, 3)
    pool = environments.load_batch(task, 3, 3, pool=environments.PoolOptions())
    assert pool.batch_size == 3 and pool.batched
    assert pool.time_step_spec() == batch.time_step_spec()
    assert pool.action_spec() == batch.action_spec()
    spec, random = pool.action_spec(), np.random.default_rng(0)
    pairs = [(batch.reset(), pool.reset())]
    for _ in range(25):
      action = random.uniform(spec.minimum, spec.maximum, 3).astype(spec.dtype)
      pairs.append((batch.step(action), pool.step(action)))
    for expected, found in pairs:
      tf.nest.assert_same_structure(expected, found)
      for a, b in zip(tf.nest.flatten(expected), tf.nest.flatten(found)):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == b.dtype
    pool.close()


def test_driver_collects_from_a_pool(make):
  """A driver in a graph fills a replay buffer, across a crash, too."""
  pool = make()
  environment = tf_py_environment.TFPyEnvironment(pool)
  policy = random_tf_policy.RandomTFPolicy(
      environment.time_step_spec(),
      environment.action_spec(),
      observation_and_action_constraint_splitter=lambda o: (
          o,
          tf.one_hot([RUN] * 2, 8, dtype=tf.int32),
      ),
  )
  replay = tf_uniform_replay_buffer.TFUniformReplayBuffer(
      policy.trajectory_spec, batch_size=2, max_length=50
  )
  driver = dynamic_step_driver.DynamicStepDriver(
      environment, policy, observers=[replay.add_batch], num_steps=16
  )
  time_step, _ = driver.run()
  os.kill(pool.processes[1].pid, signal.SIGKILL)
  driver.run(time_step)
  experience = replay.gather_all()
  np.testing.assert_array_equal(
      experience.next_step_type[:, :-1], experience.step_type[:, 1:]
  )
  cut = (experience.next_step_type == LAST) & (experience.discount == 1.0)
  assert [int(n) for n in tf.math.count_nonzero(cut, axis=1)] == [0, 1]


@pytest.mark.parametrize(
    'action,reason',
    [
        ('RAISE', 'step() raised ZeroDivisionError: the floor is lava'),
        ('KILL', 'its process was killed by signal 9, Killed'),
        ('EXIT', 'its process ended with exit code 3'),
        ('NAN', 'the reward is nan'),
        ('SHAPE', 'the observation is int64 [1], but its spec is int64 [3]'),
        ('DTYPE', 'the observation is float32 [3], but its spec is int64 [3]'),
        ('HANG', 'it gave no answer for 2 seconds'),
    ],
)
def test_crash_cuts_one_episode(make, log, action, reason):
  """The episode ends as at a time limit; the others notice nothing."""
  pool = make(timeout_seconds=2 if action == 'HANG' else 60)
  pool.reset()
  before = step(pool, RUN, RUN)
  cut = step(pool, getattr(fakes.Fragile, action), RUN)
  np.testing.assert_array_equal(cut.step_type, [LAST, MID])
  np.testing.assert_array_equal(cut.reward, [0.0, 1.0])
  np.testing.assert_array_equal(cut.discount, [1.0, 1.0])
  np.testing.assert_array_equal(cut.observation[0], before.observation[0])
  assert pool.restarts == 1
  (line,) = log
  assert line.startswith('environment 0 of Fragile')
  assert reason in line and 'restart 1 of at most 10' in line

  after = step(pool, RUN, RUN)
  np.testing.assert_array_equal(after.step_type, [FIRST, MID])
  steps, seeds, pids = after.observation.T
  np.testing.assert_array_equal(steps, [0, 3])
  assert seeds[0] != before.observation[0, 1]  # It would only crash again.
  assert seeds[1] == before.observation[1, 1]
  assert pids[0] != before.observation[0, 2]
  np.testing.assert_array_equal(step(pool, RUN, RUN).observation[:, 0], [1, 4])
  assert ended(int(before.observation[0, 2]))


def test_traceback_is_logged(make, log):
  """Whoever mends the environment needs the line, not only the sentence."""
  pool = make()
  pool.reset()
  step(pool, fakes.Fragile.RAISE, RUN)
  assert 'fakes.py' in log[0] and 'in step' in log[0]


def test_killed_while_nobody_waits(make):
  """A death between two steps is found at the next one."""
  pool = make()
  pool.reset()
  for member in pool.processes:
    os.kill(member.pid, signal.SIGKILL)
  np.testing.assert_array_equal(step(pool, RUN, RUN).step_type, [LAST, LAST])
  np.testing.assert_array_equal(step(pool, RUN, RUN).step_type, [FIRST, FIRST])
  assert pool.restarts == 2


def test_crash_between_episodes_loses_none(make):
  """After a LAST step there is no second one: the next episode begins."""
  pool = make(fakes.FailsAtReset, [1])
  pool.reset()
  kinds = [int(step(pool, RUN).step_type[0]) for _ in range(12)]
  assert kinds == [MID] * 4 + [LAST, FIRST] + [MID] * 4 + [LAST, FIRST]
  assert pool.restarts == 2
  assert int(pool.reset().step_type[0]) == FIRST
  assert pool.restarts == 3


@pytest.mark.parametrize('task', [fakes.FailsAtOnce, fakes.Fragile])
def test_limit_ends_the_run_with_the_traceback(make, task):
  """The crash after the last restart is raised, with where it was."""
  pool = make(task, [1], max_restarts=2)
  with pytest.raises(environments.CrashedEnvironmentError) as caught:
    pool.reset()
    for _ in range(9):
      step(pool, fakes.Fragile.RAISE)
  message = str(caught.value)
  assert message.startswith(f'environment 0 of {task.__name__} crashed: ')
  assert message.endswith('since pool.max_restarts is 2.')
  assert 'raised ZeroDivisionError' in message and '\n' not in message
  assert 'fakes.py' in str(caught.value.__cause__)
  assert pool.restarts == 2
  assert all(ended(member.pid) for member in pool.processes)


def test_limit_reaches_through_tensorflow(make):
  """A driver's error holds the sentence and the environment's traceback."""
  environment = tf_py_environment.TFPyEnvironment(make(max_restarts=0))
  environment.reset()
  run = tf.function(lambda: environment.step(tf.constant([1, 0], tf.int32)))
  with pytest.raises(tf.errors.OpError) as caught:
    run()
  assert 'environment 0 of Fragile crashed' in str(caught.value)
  assert 'the floor is lava' in str(caught.value)
  assert 'fakes.py' in str(caught.value)


def test_what_cannot_start_is_raised_as_it_is(make):
  """A mistake in the name is no crash, and comes with its own exception."""
  with pytest.raises(environments.UnknownTaskError, match='memory_len'):
    make('bsuite/memory_lne/9')
  with pytest.raises(ZeroDivisionError, match='not made') as caught:
    make(fakes.CannotStart)
  assert 'fakes.py' in str(caught.value.__cause__)
  with pytest.raises(
      environments.InvalidTaskError, match='a function that makes'
  ):
    make(fakes.Fragile())


def test_task_that_cannot_be_pickled_starts_no_process(make, monkeypatch):
  """A function that holds a lock is named before anything is started."""
  started = []
  monkeypatch.setattr(
      process.subprocess, 'Popen', lambda *a, **k: started.append(a)
  )
  lock = threading.Lock()
  with pytest.raises(
      environments.InvalidTaskError, match="cannot pickle '_thread.lock'"
  ):
    make(lambda seed: lock and fakes.Fragile(seed))
  assert not started


def test_process_that_cannot_be_started_closes_the_others(make, monkeypatch):
  """Where the system has no third process, the first two are not left over."""
  started, popen = [], subprocess.Popen

  def two_at_most(*arguments, **options):
    if len(started) == 2:
      raise BlockingIOError('no more processes')
    started.append(popen(*arguments, **options))
    return started[-1]

  monkeypatch.setattr(process.subprocess, 'Popen', two_at_most)
  with pytest.raises(BlockingIOError):
    make(seeds=range(5))
  assert len(started) == 2 and all(ended(member.pid) for member in started)


def test_environments_that_differ_are_refused(make):
  """One batch has one spec."""

  def differing(seed):
    return fakes.Corridor() if seed else fakes.Fragile()

  with pytest.raises(specs.UnsupportedSpecError, match='differ: number 0 has'):
    make(differing, [0, 1])


def test_closed_pool_leaves_no_process(make):
  """Nothing is left to wait for, zombies included; closing twice is one."""
  pool = make()
  pids = [member.pid for member in pool.processes]
  step(pool, fakes.Fragile.KILL, RUN)
  step(pool, fakes.Fragile.KILL, RUN)
  pids += [member.pid for member in pool.processes]
  pool.close()
  pool.close()
  assert all(map(ended, pids))


# No `if __name__ == '__main__'`, and the environment is of the program.
_PROGRAM = """
import os, signal, sys
from r2i_tf import environments
from r2i_tf import specs
from tests.environments import fakes

class Own(fakes.Fragile):
  pass

pool = environments.EnvironmentPool(Own, [1, 2])
time_step = pool.reset()
print(*(member.pid for member in pool.processes), flush=True)
print(time_step.observation[0, 0])
"""


@pytest.mark.parametrize(
    'end',
    [
        'os.kill(os.getpid(), signal.SIGKILL)',
        # One that hangs, at the end of the program.
        'os.kill(pool.processes[0].pid, signal.SIGSTOP)',
    ],
)
def test_program_that_ends_takes_its_processes_along(end, tmp_path):
  """However it ends, though it closes no pool."""
  file = tmp_path / 'program.py'
  file.write_text(_PROGRAM + end)
  done = subprocess.run(
      [sys.executable, file],
      env={
          **os.environ,
          'PYTHONPATH': str(pathlib.Path(__file__).parents[2]),
      },
      capture_output=True,
      text=True,
      check=False,
  )
  first, second = done.stdout.splitlines()
  assert second == '0'
  deadline = time.monotonic() + 20
  while not all(ended_or_zombie(int(pid)) for pid in first.split()):
    assert time.monotonic() < deadline, 'a process is still there'
    time.sleep(0.02)


def test_first_step_needs_no_reset(make):
  """As for any environment of dm_env, a step before all starts an episode."""
  time_step = step(make(), RUN, RUN)
  np.testing.assert_array_equal(time_step.step_type, [FIRST, FIRST])
  assert isinstance(time_step, ts.TimeStep)


def test_single_environment_in_a_process_is_the_same():
  """Step types, rewards, discounts, dtypes and the end of an episode."""
  apart = process_environment.ProcessEnvironment(fakes.Fragile, 7)
  here = suites.make(fakes.Fragile, 7)
  assert apart.observation_spec() == here.observation_spec()
  assert apart.action_spec() == here.action_spec()
  assert [step.observation[2] for step in (apart.reset(), here.reset())] == [
      apart._process.pid,
      os.getpid(),
  ]
  for _ in range(6):
    ours, theirs = here.step(RUN), apart.step(RUN)
    assert theirs[:3] == ours[:3]
    assert theirs.observation.dtype == ours.observation.dtype
    np.testing.assert_array_equal(theirs.observation[:2], ours.observation[:2])
  apart.close()


@pytest.mark.parametrize(
    'action,error,words',
    [
        ('NAN', environments.FaultyEnvironmentError, 'the reward is nan'),
        (
            'KILL',
            environments.CrashedEnvironmentError,
            '^Fragile crashed: its process was killed by signal 9, Killed.$',
        ),
    ],
)
def test_single_environment_raises_what_its_process_does(action, error, words):
  """There is no second life: the fault is its own, and the process is gone."""
  apart = process_environment.ProcessEnvironment(fakes.Fragile, 7)
  apart.reset()
  with pytest.raises(error, match=words):
    apart.step(getattr(fakes.Fragile, action))
  assert ended(apart._process.pid)


def test_single_environment_that_nobody_holds_ends_its_process():
  """Forgotten without close, it leaves nothing behind."""
  apart = process_environment.ProcessEnvironment(fakes.Fragile, 7)
  pid = apart._process.pid
  del apart
  assert ended(pid)


def test_an_environment_may_raise_the_errors_of_a_connection(make):
  """They are its own, with their words, and not the end of the pool's."""

  def refused():
    raise ConnectionRefusedError('no simulator at localhost:2000')

  with pytest.raises(ConnectionRefusedError, match='no simulator'):
    make(refused)


def test_a_kill_ends_what_an_environment_has_started(tmp_path):
  """Else each restart would leave a simulator behind."""
  file = tmp_path / 'pid'

  def make():
    child = subprocess.Popen(['tail', '-f', '/dev/null'])
    file.write_text(str(child.pid))
    return fakes.Corridor()

  member = process.EnvironmentProcess(make, 0, None, None, 60)
  member.specs()
  pid = int(file.read_text())
  assert not ended_or_zombie(pid)
  member.kill()
  deadline = time.monotonic() + 10
  while not ended_or_zombie(pid):
    assert time.monotonic() < deadline
    time.sleep(0.01)


def test_a_closed_pool_takes_no_step(make):
  """And starts no process anew."""
  pool = make()
  pool.reset()
  pool.close()
  with pytest.raises(RuntimeError, match='the pool is closed'):
    step(pool, RUN, RUN)
  assert pool.restarts == 0


def test_each_environment_takes_an_action(make):
  """One too few is said at once, and costs no episode."""
  pool = make()
  pool.reset()
  with pytest.raises(ValueError, match='1 actions, but the pool has 2'):
    step(pool, RUN)
  assert list(step(pool, RUN, RUN).step_type) == [MID, MID]
