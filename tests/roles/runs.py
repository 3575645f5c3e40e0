"""Roles as processes of a test, which ends all that it has started."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).parents[2]

# Small enough for two cores, and for a train step to compile in seconds.
SETTINGS = (
    '--config=bsuite:debug',
    '--task=bsuite/memory_len/9',
    '--config.replay.kind=reverb',
    '--config.replay.batch_size=4',
    '--config.replay.sequence_length=32',
    '--config.replay.stride=8',
    '--config.replay.capacity=40_000',
    '--config.parallel_environments=2',
    '--config.prefill=256',
    '--config.train_ratio=8',
    '--config.steps=1e8',
    '--config.log_seconds=0.5',
    '--config.checkpoint_seconds=2',
    '--config.evaluation_episodes=0',
    '--config.roles.weights_seconds=1',
    '--config.roles.export_seconds=1e6',
)
RATIO = 8.0
SEQUENCE, STRIDE = 32, 8


class Process:
  """A program, its log in a file."""

  def __init__(self, name, directory, arguments, **environment):
    self.log = directory / f'{name}.log'
    self.name, self._arguments = name, arguments
    self._environment = environment
    self.process = None

  def start(self):
    program = str(ROOT / 'launch' / f'{self.name.partition("-")[0]}.py')
    with open(self.log, 'a', encoding='utf-8') as log:
      self.process = subprocess.Popen(
          [sys.executable, program, *self._arguments],
          cwd=ROOT,
          env={**os.environ, 'PYTHONPATH': str(ROOT), **self._environment},
          stdout=log,
          stderr=log,
          start_new_session=True,
      )
    return self

  def send(self, number):
    self.process.send_signal(number)

  def kill(self):
    with contextlib.suppress(ProcessLookupError):
      os.killpg(self.process.pid, signal.SIGKILL)
    self.process.wait()

  def wait(self, seconds):
    return self.process.wait(seconds)

  def text(self):
    return self.log.read_text(encoding='utf-8')


class Run:
  """A server, collectors and a learner."""

  def __init__(self, directory, port, collectors=1, settings=SETTINGS):
    self.workdir = directory / 'learner'
    self.address = f'localhost:{port}'
    address = f'--replay_address={self.address}'
    self.server = Process(
        'replay_server',
        directory,
        [*settings, f'--port={port}', f'--workdir={directory / "server"}'],
    )
    self.learner = Process(
        'train', directory, [*settings, address, f'--workdir={self.workdir}']
    )
    self.collectors = [
        Process(f'collect-{index}', directory, [address])
        for index in range(collectors)
    ]

  @property
  def processes(self):
    return [self.server, self.learner, *self.collectors]

  def start(self):
    for process in self.processes:
      process.start()

  def end(self):
    for process in self.processes:
      if process.process is not None:
        process.kill()

  def logs(self):
    return '\n'.join(
        f'--- {p.name}\n{p.text()[-3000:]}'
        for p in self.processes
        if p.log.exists()
    )

  def record(self):
    """Returns the last record of the learner; zeros before the first."""
    path = self.workdir / 'metrics.jsonl'
    lines = path.read_text().splitlines() if path.exists() else []
    with contextlib.suppress(ValueError, IndexError):
      return json.loads(lines[-1])
    return {'train_steps': 0, 'environment_steps': 0, 'episodes': 0}

  def train_steps(self):
    return self.record()['train_steps']

  def checkpoint(self):
    """Returns the train step of the newest checkpoint."""
    directory = self.workdir / 'checkpoints'
    found = [int(p.name) for p in directory.glob('*') if p.name.isdigit()]
    return max(found, default=0)

  def until(self, condition, seconds, what):
    """Waits until something holds; fails with all logs where it does not."""
    deadline = time.monotonic() + seconds
    while not condition():
      for process in self.processes:
        code = process.process.poll() if process.process else None
        assert code in (
            None,
            0,
            -signal.SIGKILL,
        ), f'{process.name} ended with {code} before {what}\n{self.logs()}'
      assert time.monotonic() < deadline, f'not {what}\n{self.logs()}'
      time.sleep(0.1)

  def until_trained(self, steps, seconds=120):
    """Waits until so many more train steps were taken than have been now."""
    goal = self.train_steps() + steps
    self.until(
        lambda: self.train_steps() >= goal, seconds, f'train step {goal}'
    )
