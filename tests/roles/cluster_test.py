"""All roles on one machine, and the mistakes that one can make with them."""

import contextlib
import json
import re
import signal
import socket
import time

import psutil
import pytest

pytest.importorskip('reverb')

from r2i_tf.roles import ports  # noqa: E402
from tests.replay.reverb import servers  # noqa: E402
from tests.roles import runs  # noqa: E402


@contextlib.contextmanager
def _program(name, directory, *arguments):
  process = runs.Process(name, directory, arguments).start()
  try:
    yield process
  finally:
    process.kill()


def _until(condition, process, seconds=120):
  deadline = time.monotonic() + seconds
  while not condition():
    assert time.monotonic() < deadline, process.text()[-3000:]
    time.sleep(0.1)


def _family(process):
  """Returns the processes below a program; none of a test's own."""
  with contextlib.suppress(psutil.NoSuchProcess):
    return psutil.Process(process.process.pid).children(recursive=True)
  return []


def test_a_cluster_runs_to_the_end_of_its_learner(tmp_path):
  """Exit code 0, policies, scores of the evaluator, and nobody left behind."""
  with _program(
      'local_cluster',
      tmp_path,
      *runs.SETTINGS,
      f'--workdir={tmp_path}',
      '--collectors=2',
      '--config.roles.export_seconds=3',
      '--config.evaluation_episodes=2',
      '--config.max_minutes=0.25',
  ) as cluster:
    _until(lambda: 'collector 1 | collecting' in cluster.text(), cluster)
    family = _family(cluster)
    assert len(family) >= 5
    assert cluster.wait(150) == 0, cluster.text()[-3000:]
    assert not any(p.is_running() for p in family)
    text = cluster.text()
  assert re.match(r'server \| the replay server listens on port \d+', text)
  scores = re.findall(r'^evaluator \| ({.*})$', text, re.M)
  assert scores and 'mean' in json.loads(scores[0])
  assert 'learner | stopped because its time is up' in text
  assert (tmp_path / 'learner' / 'policies' / 'greedy').is_dir()


def test_a_cluster_that_is_killed_leaves_nobody_behind(tmp_path):
  """Nor does one that loses a role: that one is started again."""
  with _program(
      'local_cluster',
      tmp_path,
      *runs.SETTINGS,
      f'--workdir={tmp_path}',
      '--collectors=1',
      '--noevaluator',
  ) as cluster:
    _until(lambda: 'collector 0 | collecting' in cluster.text(), cluster)
    family = _family(cluster)
    collector = next(p for p in family if 'collect.py' in ' '.join(p.cmdline()))
    collector.kill()
    again = 'the collector 0 ended with exit code -9; started again'
    _until(lambda: again in cluster.text(), cluster)
    _until(lambda: len(_family(cluster)) >= 3, cluster)
    family = _family(cluster)
    cluster.send(signal.SIGKILL)
    _, alive = psutil.wait_procs(family, timeout=40)
    assert not alive, [p.cmdline() for p in alive]


def _refused(process):
  """Returns the one sentence of a program that was refused."""
  assert process.wait(60) == 2, process.text()
  text = process.text()
  lines = [line for line in text.splitlines() if line.startswith('error: ')]
  assert len(lines) == 1 and 'Traceback' not in text, text
  return lines[0]


def test_mistakes_are_one_sentence(tmp_path):
  """Of everybody who can make them, with exit code 2 and without a wait."""
  free = ports.free_port(0)
  with contextlib.ExitStack() as stack:
    other = stack.enter_context(socket.socket())
    other.bind(('', 0))
    other.listen()
    taken = other.getsockname()[1]
    (tmp_path / 'served').mkdir()
    served, _ = stack.enter_context(servers.serve(tmp_path / 'served'))
    cases = []

    def case(expected, program, *arguments):
      directory = tmp_path / str(len(cases))
      directory.mkdir()
      process = stack.enter_context(_program(program, directory, *arguments))
      cases.append((expected, process))

    def settings(name):
      return (*runs.SETTINGS, f'--workdir={tmp_path / name}')

    case(
        f'--port is {taken}, which cannot be listened on',
        'replay_server',
        *settings('a'),
        f'--port={taken}',
    )
    case(
        'training would never begin',
        'replay_server',
        *settings('b'),
        '--config.prefill=50000',
    )
    case(
        f'localhost:{free}, but nothing has listened there for 1 s',
        'train',
        *settings('c'),
        f'--replay_address=localhost:{free}',
        '--connect_seconds=1',
    )
    case('must be <host>:<port>', 'collect', '--replay_address=localhost')
    case(
        'where something listens that is no replay server',
        'collect',
        f'--replay_address=localhost:{taken}',
    )
    case(
        "is for the task 'task' with the specs {step_type: int32 [],",
        'train',
        *settings('d'),
        f'--replay_address={served}',
    )
    case(
        "replay.kind is 'reverb' and --replay_address is None",
        'train',
        *settings('e'),
    )
    for expected, process in cases:
      assert expected in _refused(process)
  assert not (tmp_path / 'c').exists() and not (tmp_path / 'd').exists()
