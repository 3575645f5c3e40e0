"""What goes into a replay server comes out, in sequences."""

import queue

import numpy as np
import pytest
import tensorflow as tf

pytest.importorskip('reverb')

from tf_agents.replay_buffers import reverb_replay_buffer  # noqa: E402

from r2i_tf.agents import experience as experience_lib  # noqa: E402
from r2i_tf.replay.reverb import reading  # noqa: E402
from r2i_tf.replay.reverb import streams  # noqa: E402
from r2i_tf.replay.reverb import tables  # noqa: E402
from r2i_tf.replay.reverb import writing  # noqa: E402
from tests.replay.reverb import servers  # noqa: E402

_STREAMS = 3
_STEPS = 60


def _write(
    address, streams=_STREAMS, seed=0, count=_STEPS, episode=5, **changes
):
  writer = writing.SequenceWriter(
      address, servers.SPEC, streams, servers.settings(**changes), seed
  )
  for number in range(count):
    writer.append(servers.steps(number, streams, episode))
    while not writer.settle():
      pass
  for stream in writer._streams:
    stream.writer.flush()
  return writer


@pytest.fixture(name='server', scope='module')
def _server(tmp_path_factory):
  """A server that holds the steps of three streams."""
  with servers.serve(tmp_path_factory.mktemp('server')) as (address, server):
    writer = _write(address)
    yield address, server
    writer.close()


def _batches(address, count, batch=4):
  notes = []
  with reading.BatchReader(
      address, servers.SPEC, 8, batch, 1, notes.append
  ) as r:
    taken = list(r.dataset().take(count))
  assert notes == []
  return taken


def test_a_sequence_is_of_steps_that_follow_one_another(server):
  """Of one stream, across the ends of episodes, and every part alike."""
  ends = 0
  for batch in _batches(server[0], 20):
    stream, number = np.moveaxis(batch.observation['place'].numpy(), -1, 0)
    assert stream.shape == (4, 8)
    np.testing.assert_array_equal(stream, stream[:, :1].repeat(8, 1))
    np.testing.assert_array_equal(np.diff(number), 1)
    np.testing.assert_array_equal(batch.reward, number)
    np.testing.assert_array_equal(
        batch.step_type.numpy()[:, 1:], batch.next_step_type.numpy()[:, :-1]
    )
    ends += np.count_nonzero(batch.step_type.numpy()[:, 1:-1] == 2)
  assert ends


def test_starts_lie_a_stride_apart_and_each_stream_has_its_phase(server):
  """Fixed starts alone would show every stream from the same places."""
  starts = {}
  for batch in _batches(server[0], 60):
    for stream, number in batch.observation['place'].numpy()[:, 0]:
      starts.setdefault(stream, set()).add(number)
  phases = {
      stream: {int(n) % 4 for n in found} for stream, found in starts.items()
  }
  assert len(phases) == _STREAMS
  assert all(len(found) == 1 for found in phases.values())
  assert len(set.union(*phases.values())) > 1


def test_there_is_a_sequence_for_each_stride_of_steps(server):
  """From the first that is full to the last."""
  size = server[1].size()
  least = (_STEPS - 3 - 8) // 4 + 1
  assert _STREAMS * least <= size <= _STREAMS * (least + 1)


@pytest.mark.parametrize('chance', [0.5, 1.0])
def test_sequences_that_start_with_an_episode(tmp_path, chance):
  """So many of them as asked for; there are no more sequences in all."""
  starts = []
  # One replay has a hundred sequences, too few for their share.
  for seed in range(4):
    directory = tmp_path / str(seed)
    directory.mkdir()
    with servers.serve(directory) as (address, server):
      writer = _write(
          address, seed=seed, count=400, episode=6, episode_starts=chance
      )
      assert 95 <= server.size() <= 100
      for batch in _batches(address, 100):
        number = batch.observation['place'].numpy()[..., 1]
        np.testing.assert_array_equal(np.diff(number), 1)
        starts.extend(number[:, 0] % 6 == 0)
      writer.close()
  # A strided sequence starts an episode, too: one time in three where the phase
  # of its stream is even, and never where it is odd.
  expected = chance + (1 - chance) / 6
  assert abs(np.mean(starts) - expected) < 0.1


@pytest.mark.parametrize('episode', [3, 6, 20])
def test_whole_episodes(tmp_path, episode):
  """Each sequence is one, cut or padded with what no loss sees."""
  with servers.serve(tmp_path) as (address, server):
    writer = _write(
        address, streams=1, count=200, episode=episode, whole_episodes=True
    )
    # One for each stride of steps, of which padding is none, but those owed.
    assert 47 - episode // 4 <= server.size() <= 49
    for batch in _batches(address, 30):
      number = batch.observation['place'].numpy()[..., 1]
      experience = experience_lib.from_trajectory(
          batch, lambda action: tf.one_hot(action, 2)
      )
      valid = experience.is_valid.numpy()
      np.testing.assert_array_equal(number[:, 0] % episode, 0)
      for row in range(4):
        length = min(8, episode)
        assert valid[row].sum() == length and valid[row, :length].all()
        np.testing.assert_array_equal(np.diff(number[row, :length]), 1)
    writer.close()


def test_episodes_that_never_end_are_not_waited_for(tmp_path, monkeypatch):
  """Then sequences are those that end with the last step."""
  monkeypatch.setattr(streams, '_MOST_OWED', 3)
  with servers.serve(tmp_path) as (address, server):
    writer = _write(
        address, streams=1, count=203, episode=1000, whole_episodes=True, seed=1
    )
    assert writer._streams[0]._owed == 3
    assert server.size() >= 44
    writer.close()


def test_tf_agents_reads_it_unchanged(server):
  """By `ReverbReplayBuffer`, whose items are trajectories [B, T]."""
  replay = reverb_replay_buffer.ReverbReplayBuffer(
      servers.SPEC,
      tables.EXPERIENCE,
      sequence_length=8,
      server_address=server[0],
  )
  dataset = replay.as_dataset(sample_batch_size=2, num_steps=8)
  batch, _ = next(iter(dataset))
  assert batch.observation['place'].shape == (2, 8, 2)
  np.testing.assert_array_equal(np.diff(batch.reward), 1)


def test_it_is_an_observer_of_a_graph(tmp_path):
  """As drivers of TF-Agents call theirs."""
  with servers.serve(tmp_path) as (address, server):
    writer = writing.SequenceWriter(
        address, servers.SPEC, 2, servers.settings(), 0
    )
    add = tf.function(writer.add)
    for number in range(16):
      add(tf.nest.map_structure(tf.constant, servers.steps(number, 2)))
    for stream in writer._streams:
      stream.writer.flush()
    assert server.size() >= 2
    writer.close()


def test_a_sequence_that_was_not_finished_is_lost_and_nothing_else(tmp_path):
  """New ones begin behind the break; none runs across it."""
  with servers.serve(tmp_path) as (address, _):
    writer = _write(address, streams=1)
    writer.reopen()
    for number in range(100, 130):
      writer.append(servers.steps(number, 1))
    for stream in writer._streams:
      stream.writer.flush()
    seen = set()
    for batch in _batches(address, 40):
      number = batch.observation['place'].numpy()[..., 1]
      np.testing.assert_array_equal(np.diff(number), 1)
      seen.update(number[:, 0] >= 100)
    assert seen == {False, True}
    writer.close()


def test_a_reader_of_other_sequences_says_what_is_wrong(server):
  """It tries again; a server may be replaced by the right one."""
  notes = queue.Queue()
  with reading.BatchReader(
      server[0], servers.SPEC, 4, 2, 1, notes.put
  ) as reader:
    assert 'broke off' in notes.get(timeout=30)
    assert not reader.is_ready()
