"""A learner of two hosts, which read one replay server."""

import json
import signal

import pytest

pytest.importorskip('reverb')

from r2i_tf.roles import ports  # noqa: E402
from tests.roles import runs  # noqa: E402


def test_two_hosts_train_from_one_server(tmp_path):
  """Step by step together; the first has the run, and either stops both."""
  run = runs.Run(tmp_path, ports.free_port(0))
  workers = [f'localhost:{ports.free_port(0)}' for _ in range(2)]
  arguments = [
      *runs.SETTINGS,
      '--strategy=multi_worker',
      f'--replay_address={run.address}',
      f'--workdir={run.workdir}',
  ]
  run.learner, other = [
      runs.Process(
          f'train-{index}',
          tmp_path,
          arguments,
          TF_CONFIG=json.dumps(
              {
                  'cluster': {'worker': workers},
                  'task': {'type': 'worker', 'index': index},
              }
          ),
      )
      for index in range(2)
  ]
  try:
    run.start()
    other.start()
    run.until_trained(10, 180)
    other.send(signal.SIGTERM)
    for learner in (run.learner, other):
      assert learner.wait(30) == 0, learner.text()[-3000:]
  finally:
    other.kill()
    run.end()
  assert run.checkpoint() == run.train_steps() >= 10
  ended = 'stopped because it was asked to stop'
  for learner in (run.learner, other):
    [line] = [x for x in learner.text().splitlines() if x.startswith(ended)]
    assert f'{run.train_steps():,} train steps' in line
  assert not list((run.workdir / 'hosts' / '1').glob('checkpoints/*'))
