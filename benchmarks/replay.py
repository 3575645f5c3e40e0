"""How fast are sequences sampled in memory and on disk, and what do they take?

Batches of 4 x 1,024 images of 64 x 64, timed in turn; `TF-Agents` is the buffer
that the kind `memory` keeps its steps in, drawing by itself. Cold is with the
files out of the page cache:

  python -m benchmarks.replay
  python -m benchmarks.replay --steps=200000 --directory=/data

And the ways of keeping images in a file that came into question for `disk`: a
sequence read into its place, copied from a memory map, and decompressed, each
with its bytes on disk, for noise and for frames of a game.
"""

from collections.abc import Iterator
import contextlib
import os
import pathlib
import shutil
import tempfile
from typing import Any, Callable
import zlib

from absl import flags
import numpy as np

from benchmarks import report
from benchmarks import timing
from r2i_tf.programs import command_line

_STEPS = flags.DEFINE_integer(
    'steps', 40_000, 'Steps in each replay, over all streams.', lower_bound=1
)
_DIRECTORY = flags.DEFINE_string(
    'directory', None, 'Where to write; by default the place of the system.'
)

_STREAMS = 4
_BATCH, _LENGTH = 4, 1024
_IMAGE = (64, 64, 3)
_BLOCK = 16  # Images that are compressed together.
_GAME = 'atari/ms_pacman'
_MILLION = 10**6
_WAYS = {
    'tf_agents': 'TF-Agents',
    'memory': 'memory',
    'warm': 'disk, warm',
    'cold': 'disk, cold',
}


def main(_) -> None:
  """Measures sampling and the ways of keeping images."""
  quick = report.QUICK.value
  seconds = 1.0 if quick else report.SECONDS.value
  steps = 4 * _STREAMS * _LENGTH if quick else _STEPS.value
  with _scratch() as directory:
    record = {
        'machine': report.machine(),
        'steps': steps,
        'sampling': measure_sampling(directory / 'replay', steps, seconds),
        'ways': measure_ways(directory, seconds),
    }
  report.finish('replay', record, tables(record))


def measure_sampling(
    directory: pathlib.Path, steps: int, seconds: float
) -> dict[str, dict[str, Any]]:
  """Fills three replays with the same steps and samples them in turn.

  Args:
    directory: For the replay on disk.
    steps: In each, over all streams.
    seconds: Timing of all of them together.

  Returns:
    By way: batch times, time over that of TF-Agents, bytes of memory.
  """
  import tensorflow as tf
  from tf_agents.replay_buffers import tf_uniform_replay_buffer

  from r2i_tf import replay as replay_lib

  spec = _spec()
  disk, disk_bytes = _held(
      lambda: replay_lib.DiskReplay(spec, _STREAMS, steps, directory), steps
  )
  memory, memory_bytes = _held(
      lambda: replay_lib.UniformReplay(spec, _STREAMS, steps), steps
  )
  buffer, buffer_bytes = _held(
      lambda: tf_uniform_replay_buffer.TFUniformReplayBuffer(
          spec, _STREAMS, max_length=steps // _STREAMS
      ),
      steps,
  )
  own = buffer.as_dataset(sample_batch_size=_BATCH, num_steps=_LENGTH)
  # As for the others: a batch is drawn when it is asked for, never ahead.
  options = tf.data.Options()
  options.experimental_optimization.inject_prefetch = False
  options.experimental_optimization.map_parallelization = False
  own = own.with_options(options)
  batches = {
      'tf_agents': iter(own),
      'memory': iter(memory.sample(_BATCH, _LENGTH)),
      'warm': iter(disk.sample(_BATCH, _LENGTH)),
  }
  functions = {
      name: lambda iterator=iterator: next(iterator)
      for name, iterator in batches.items()
  }
  times = timing.in_turn(functions, seconds)
  times['cold'] = timing.Times(_cold(directory, functions['warm'], seconds))
  held = {
      'tf_agents': buffer_bytes,
      'memory': memory_bytes,
      'warm': disk_bytes,
      'cold': disk_bytes,
  }
  return {
      name: {
          **times[name].record(),
          'over_tf_agents': times[name].over(times['tf_agents']),
          'sequences_per_second': _BATCH / times[name].median,
          'memory_bytes': held[name],
      }
      for name in _WAYS
  }


def _held(make: Callable[[], Any], steps: int) -> tuple[Any, int]:
  """Makes a replay and fills it; returns it and the memory that it takes."""
  import psutil
  import tensorflow as tf

  before = psutil.Process().memory_info().rss
  replay = make()
  add_batch = getattr(replay, 'add_batch', None) or replay.add

  @tf.function
  def add(steps: Any) -> None:
    add_batch(steps)

  rng = np.random.default_rng(0)
  shape = [_STREAMS, *_IMAGE]
  images = [tf.constant(rng.integers(0, 256, shape, np.uint8)) for _ in '1234']
  for number in range(steps // _STREAMS):
    add({'image': images[number % len(images)], 'reward': tf.zeros([_STREAMS])})
  return replay, psutil.Process().memory_info().rss - before


def _cold(
    directory: pathlib.Path, sample: Callable[[], Any], seconds: float
) -> list[float]:
  """Returns the seconds of batches whose files are not in the page cache."""
  times: list[float] = []
  while len(times) < 3 or sum(times) < seconds / 4:
    for path in directory.iterdir():
      _drop_from_cache(path)
    times.append(timing.timed(sample)[0])
  return times


def _drop_from_cache(path: pathlib.Path) -> None:
  descriptor = os.open(path, os.O_RDONLY)
  try:
    os.fsync(descriptor)  # What is not written yet cannot be dropped.
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
  finally:
    os.close(descriptor)


def measure_ways(directory: pathlib.Path, seconds: float) -> list[Any]:
  """Times a sequence of each kind of images, kept in each way, all warm."""
  rows = []
  rng = np.random.default_rng(0)
  noise = rng.integers(0, 256, [_LENGTH, *_IMAGE], np.uint8)
  for kind, images in (('noise', noise), (_GAME, _frames())):
    raw, packed = directory / 'raw', directory / 'packed'
    raw.write_bytes(images.tobytes())
    blocks = [
        zlib.compress(images[i : i + _BLOCK].tobytes(), 1)
        for i in range(0, _LENGTH, _BLOCK)
    ]
    packed.write_bytes(b''.join(blocks))
    ways = {
        'read': _reader(raw),
        'memory map': _mapper(raw),
        'zlib': _unpacker(packed, [len(block) for block in blocks]),
    }
    times = timing.in_turn(ways, seconds / 4)
    for name, file in (('read', raw), ('memory map', raw), ('zlib', packed)):
      size = file.stat().st_size
      rows.append(
          {
              'images': kind,
              'way': name,
              'sequence_ms': 1e3 * times[name].median,
              'over_read': times[name].over(times['read']),
              'gigabytes_per_million_steps': size / _LENGTH * _MILLION / 1e9,
          }
      )
  return rows


def _reader(path: pathlib.Path) -> Callable[[], np.ndarray]:
  def read():
    images = np.empty([_LENGTH, *_IMAGE], np.uint8)
    with open(path, 'rb', buffering=0) as file:
      file.readinto(images.reshape(-1).data)
    return images

  return read


def _mapper(path: pathlib.Path) -> Callable[[], np.ndarray]:
  def copy():
    return np.array(np.memmap(path, np.uint8, 'r', 0, (_LENGTH, *_IMAGE)))

  return copy


def _unpacker(path: pathlib.Path, sizes: list[int]) -> Callable[[], np.ndarray]:
  def unpack():
    images = np.empty([_LENGTH, *_IMAGE], np.uint8)
    with open(path, 'rb') as file:
      for index, size in enumerate(sizes):
        block = np.frombuffer(zlib.decompress(file.read(size)), np.uint8)
        images[index * _BLOCK : (index + 1) * _BLOCK].reshape(-1)[:] = block
    return images

  return unpack


def _frames() -> np.ndarray:
  """Returns frames of a game under random actions, uint8 [T, 64, 64, 3]."""
  from r2i_tf import environments
  from r2i_tf import run_config

  options = run_config.RunConfig.preset('atari100k').environment
  environment = environments.load(_GAME, 0, options)
  actions = environment.action_spec()
  rng = np.random.default_rng(0)
  with contextlib.closing(environment):
    step, frames = environment.reset(), []
    while len(frames) < _LENGTH:
      frames.append(_image_of(step.observation))
      step = environment.step(
          rng.integers(
              actions.minimum, actions.maximum + 1, actions.shape
          ).astype(actions.dtype)
      )
  return np.stack(frames)


def _image_of(observation: Any) -> np.ndarray:
  """Returns the one image of an observation."""
  import tensorflow as tf

  (image,) = [x for x in tf.nest.flatten(observation) if x.shape == _IMAGE]
  return image


def _spec() -> Any:
  import tensorflow as tf

  return {
      'image': tf.TensorSpec(_IMAGE, tf.uint8, 'image'),
      'reward': tf.TensorSpec([], tf.float32, 'reward'),
  }


@contextlib.contextmanager
def _scratch() -> Iterator[pathlib.Path]:
  """Makes a directory and removes it."""
  directory = pathlib.Path(tempfile.mkdtemp(dir=_DIRECTORY.value))
  try:
    yield directory
  finally:
    shutil.rmtree(directory)


def tables(record: dict[str, Any]) -> dict[str, str]:
  """Returns the tables, by the names of their places."""
  header = ['replay', 'sequences/s', 'ms a batch', 'x', 'memory (GB)']
  rows = [
      [
          title,
          row['sequences_per_second'],
          row['median_ms'],
          row['over_tf_agents'],
          row['memory_bytes'] / 1e9,
      ]
      for way, title in _WAYS.items()
      for row in [record['sampling'][way]]
  ]
  sampling = (
      f'{report.machine_line(record["machine"])} {record["steps"]:,} steps.'
      f'\n\n{report.markdown(header, rows)}'
  )
  header = ['images', 'kept to be', 'ms a sequence', 'x', 'GB per 1e6 steps']
  titles = {'read': 'read', 'memory map': 'mapped', 'zlib': 'unpacked (zlib)'}
  rows = [
      [
          row['images'],
          titles[row['way']],
          row['sequence_ms'],
          row['over_read'],
          row['gigabytes_per_million_steps'],
      ]
      for row in record['ways']
  ]
  return {'replay': sampling, 'replay_ways': report.markdown(header, rows)}


if __name__ == '__main__':
  command_line.run(main)
