"""How fast is a replay server, against the replay in memory?

Writes steps of several streams and reads batches of sequences, of vectors and
of images of a board with one bright square that moves, through a server in a
process of its own and through the replay of one process, in turn:

  python -m benchmarks.reverb_replay
  python -m benchmarks.reverb_replay --collectors=1,2,4

A run with 1, 2 and 4 collectors then says how many environment steps a second
they write together, at a ratio so low that nobody waits for the learner.
"""

from collections.abc import Callable
from collections.abc import Mapping
import contextlib
import multiprocessing
import os
import pathlib
import tempfile
import time
from typing import Any

from absl import flags
import numpy as np

from benchmarks import report
from r2i_tf.programs import command_line

_COLLECTORS = flags.DEFINE_list(
    'collectors', ['1', '2', '4'], 'How many collectors, one run each.'
)
_LENGTH = 1024
_BATCH = 4
_STREAMS = 4
_COLUMNS = {
    'memory_written': 'memory, written',
    'reverb_written': 'server, written',
    'memory_sampled': 'memory, sampled',
    'reverb_sampled': 'server, sampled',
    'memory_gigabytes': 'memory, GB',
    'reverb_gigabytes': 'server, GB',
}


def main(_) -> None:
  """Measures both kinds of observations, then the collectors."""
  quick = report.QUICK.value
  length = 64 if quick else _LENGTH
  count = 10 * length if quick else 20 * _LENGTH
  rows = []
  for name, shape, dtype in (
      ('vector of 32', [32], np.float32),
      ('image 64 x 64 x 3', [64, 64, 3], np.uint8),
  ):
    row = measure(shape, dtype, length, count)
    rows.append({'observation': name, **row})
    print(_line(rows[-1]), flush=True)
  collectors = {
      number: collecting(number, 5.0 if quick else 30.0)
      for number in report.numbers(_COLLECTORS)
  }
  record = {
      'machine': report.machine(),
      'length': length,
      'streams': _STREAMS,
      'batch': _BATCH,
      'rows': rows,
      'environment_steps_per_second': collectors,
  }
  report.finish('reverb_replay', record, tables(record))


def measure(
    shape: list[int], dtype: Any, length: int, count: int, turns: int = 3
) -> dict[str, float]:
  """Measures one kind of observation.

  Args:
    shape: Of an observation.
    dtype: Of an observation.
    length: Steps in a sequence.
    count: Steps of each stream that are written in a turn.
    turns: Of each replay, one after the other.

  Returns:
    Medians of steps written and sampled a second, and gigabytes of memory for a
    million steps, by the keys of the table's columns.
  """
  spec = _spec(shape, dtype)
  steps = [_steps(number, shape, dtype) for number in range(length)]
  found: dict[str, list[float]] = {}
  with contextlib.ExitStack() as stack:
    ways = {
        'memory': _memory(spec, length, count * turns),
        'reverb': stack.enter_context(_reverb(spec, length, count * turns)),
    }
    for _ in range(turns):
      for name, (write, sample, _) in ways.items():
        start = time.perf_counter()
        write([steps[number % length] for number in range(count)])
        seconds = time.perf_counter() - start
        found.setdefault(f'{name}_written', []).append(
            _STREAMS * count / seconds
        )
        sample()  # The first asks for more than itself.
        start, drawn = time.perf_counter(), 0
        while time.perf_counter() - start < 2.0:
          sample()
          drawn += _BATCH * length
        found.setdefault(f'{name}_sampled', []).append(
            drawn / (time.perf_counter() - start)
        )
    row = {key: float(np.median(values)) for key, values in found.items()}
    millions = _STREAMS * count * turns / 1e6
    for name, (_, _, held) in ways.items():
      row[f'{name}_gigabytes'] = held() / 1e9 / millions
  return row


_Way = tuple[Callable[[Any], None], Callable[[], Any], Callable[[], float]]


def _memory(spec: Any, length: int, count: int) -> _Way:
  """Returns how to write to the replay in memory, and to sample from it."""
  import tensorflow as tf

  from r2i_tf import replay as replay_lib

  replay = replay_lib.UniformReplay(spec, _STREAMS, _STREAMS * count)

  @tf.function
  def add(step: Any) -> None:
    replay.add(step)

  batches = iter(replay.sample(_BATCH, length))

  def write(steps: Any) -> None:
    for step in steps:
      add(step)

  return write, lambda: next(batches), lambda: float(replay.size.memory_bytes)


@contextlib.contextmanager
def _reverb(spec: Any, length: int, count: int):
  """Yields the same for a server, which is a process of its own."""
  import psutil

  from r2i_tf.replay.reverb import connection
  from r2i_tf.replay.reverb import reading
  from r2i_tf.replay.reverb import writing
  from r2i_tf.roles import ports

  settings = _settings(length, count)
  port = ports.free_port(0)
  address = f'localhost:{port}'
  context = multiprocessing.get_context('spawn')
  with tempfile.TemporaryDirectory() as directory:
    process = context.Process(
        target=_serve, args=(spec, settings, port, directory), daemon=True
    )
    process.start()
    try:
      connection.join(address, lambda: not process.is_alive(), 120)
      before = psutil.Process(process.pid).memory_info().rss
      writer = writing.SequenceWriter(address, spec, _STREAMS, settings, 0)

      def write(steps: Any) -> None:
        for step in steps:
          writer.append(step)
          while not writer.settle():
            pass

      def held() -> float:
        return float(psutil.Process(process.pid).memory_info().rss - before)

      # Opened at the first sample: until then the table is empty.
      opened = contextlib.ExitStack()
      batches: list[Any] = []

      def sample() -> Any:
        if not batches:
          reader = opened.enter_context(
              reading.BatchReader(address, spec, length, _BATCH, 1, print)
          )
          batches.append(iter(reader.dataset()))
        return next(batches[0])

      with opened, contextlib.closing(writer):
        yield write, sample, held
    finally:
      process.kill()
      process.join()


def _settings(length: int, count: int) -> Any:
  from r2i_tf.replay.reverb import tables as tables_lib

  stride = tables_lib.default_stride(length)
  return tables_lib.Settings(
      length, stride, _STREAMS * count // stride, 1, 1.0, 1e9
  )


def _serve(spec: Any, settings: Any, port: int, directory: str) -> None:
  """Serves until it is killed; a process of its own."""
  from r2i_tf.replay.reverb import identity
  from r2i_tf.replay.reverb import server

  listening = server.ReplayServer(
      identity.Identity(
          'benchmark',
          identity.describe(spec),
          settings.sequence_length,
          settings.stride,
          {},
      ),
      settings,
      spec,
      port,
      pathlib.Path(directory),
  )
  time.sleep(1e6)
  listening.close()


def _spec(shape: list[int], dtype: Any) -> Any:
  import tensorflow as tf
  from tf_agents.trajectories import trajectory

  scalar = tf.TensorSpec([], tf.float32)
  kind = tf.TensorSpec([], tf.int32)
  return trajectory.Trajectory(
      kind, tf.TensorSpec(shape, dtype), kind, (), kind, scalar, scalar
  )


def _steps(number: int, shape: list[int], dtype: Any) -> Any:
  """Returns a step of all streams, whose images differ as a game's do."""
  import tensorflow as tf
  from tf_agents.trajectories import trajectory

  if dtype == np.uint8:
    x, y = np.indices(shape[:2])
    board = ((x // 8 + y // 8) % 2 * 60)[..., None].repeat(shape[2], -1)
    at = number % (shape[0] - 8)
    board[at : at + 8, at : at + 8] = 255
  else:
    board = np.random.default_rng(number).normal(size=shape)
  observation = np.broadcast_to(board.astype(dtype), [_STREAMS, *shape])
  kind, scalar = np.ones([_STREAMS], np.int32), np.ones([_STREAMS], np.float32)
  return tf.nest.map_structure(
      tf.constant,
      trajectory.Trajectory(kind, observation, kind, (), kind, scalar, scalar),
  )


def collecting(number: int, seconds: float) -> float:
  """Returns environment steps a second of collectors that hold nobody up.

  Args:
    number: How many collectors, of 8 environments each.
    seconds: How long to count.
  """
  import reverb

  from r2i_tf.replay.reverb import tables as tables_lib
  from r2i_tf.roles import ports
  from tests.roles import runs

  settings = [s for s in runs.SETTINGS if 'environments' not in s]
  settings = [s for s in settings if 'prefill' not in s]
  settings += [
      '--config.parallel_environments=8',
      '--config.prefill=2_000_000',  # Nobody trains, so that nobody waits.
      '--config.replay.capacity=4_000_000',
  ]
  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')
  with tempfile.TemporaryDirectory() as directory:
    run = runs.Run(
        pathlib.Path(directory), ports.free_port(0), number, settings
    )
    run.start()
    try:
      run.until(
          lambda: all('collecting' in c.text() for c in run.collectors),
          120,
          'collectors that collect',
      )
      client = reverb.Client(run.address)

      def inserted() -> int:
        info = client.server_info(timeout=10)[tables_lib.EXPERIENCE]
        return info.rate_limiter_info.insert_stats.completed

      before, start = inserted(), time.monotonic()
      time.sleep(seconds)
      steps = runs.STRIDE * (inserted() - before)
      return steps / (time.monotonic() - start)
    finally:
      run.end()


def _line(row: Mapping[str, Any]) -> str:
  cells = []
  for key in _COLUMNS:
    value = row[key]
    cells.append(f'{value:.2f}' if 'gigabytes' in key else f'{value:,.0f}')
  return f'| {row["observation"]} | {" | ".join(cells)} |'


def tables(record: Mapping[str, Any]) -> dict[str, str]:
  """Returns the tables: both replays, and collectors.

  Args:
    record: What the JSON file holds.
  """
  names = list(_COLUMNS.values())
  replays = [
      f'| observation | {" | ".join(names)} |',
      f'|---|{"---|" * len(names)}',
      *map(_line, record['rows']),
  ]
  speeds = record['environment_steps_per_second']
  collectors = [
      '| collectors | environment steps a second | of one |',
      '|---|---|---|',
  ]
  one = next(iter(speeds.values()))
  for number, speed in speeds.items():
    collectors.append(f'| {number} | {speed:,.0f} | {speed / one:.2f} |')
  return {
      'reverb_replay': '\n'.join(replays) + '\n',
      'reverb_collectors': '\n'.join(collectors) + '\n',
  }


if __name__ == '__main__':
  command_line.run(main)
