"""The contract of a replay, which another than the default keeps as well."""

import numpy as np
import pytest

from r2i_tf import replay as replay_lib
from tests.replay import fakes

_CAPACITY = 41  # Of two streams: 20 steps each, and one that is dropped.
_LENGTH = 20


@pytest.fixture(
    name='make',
    params=[
        replay_lib.UniformReplay,
        replay_lib.DiskReplay,
        fakes.ListReplay,
    ],
)
def _make(request, tmp_path):
  return lambda: request.param(
      fakes.SPEC, fakes.STREAMS, _CAPACITY, tmp_path / 'replay'
  )


def test_a_sequence_is_of_one_stream_and_has_no_gap(make):
  """A batch [B, T] holds steps that followed one another."""
  replay = make()
  fakes.adder(replay)(range(33))
  (batch,) = replay.sample(400, 4).take(1)
  numbers, streams = fakes.numbers(batch)
  assert numbers.shape == (400, 4)
  np.testing.assert_array_equal(numbers[:, 1:] - numbers[:, :-1], 1)
  np.testing.assert_array_equal(streams, streams[:, :1].repeat(4, 1))
  assert set(streams.flat) == {0, 1}
  # Of 33 steps the last 20 are kept, and each can be drawn.
  assert set(numbers.flat) == set(range(33 - _LENGTH, 33))


def test_the_specs_of_a_batch_are_known(make):
  """A program for batches of this shape can be compiled before the first."""
  spec = make().sample(3, 5).element_spec
  assert spec['camera'].shape == (3, 5, 8, 8, 3)
  assert spec['state'][0].dtype == fakes.SPEC['state'][0].dtype


def test_a_batch_is_drawn_when_it_is_asked_for(make):
  """None was fetched ahead: it would hold steps that have left the replay."""
  replay = make()
  add = fakes.adder(replay)
  add(range(_LENGTH))
  batches = iter(replay.sample(2, 3))
  for first in range(_LENGTH, 6 * _LENGTH, _LENGTH):
    next(batches)
    add(range(first, first + _LENGTH))
    numbers, _ = fakes.numbers(next(batches))
    assert numbers.min() >= first


def test_nothing_is_tuned(make):
  """Who frees an iterator would wait for the tuning, which sleeps for long."""
  assert make().sample(2, 3).options().autotune.enabled is False


@pytest.mark.parametrize('count', [0, 1, 7, 20, 33])
def test_what_was_saved_comes_back(make, tmp_path, count):
  """In place of what is there; and it goes on as if nothing had happened."""
  checkpoint = tmp_path / 'checkpoint'
  checkpoint.mkdir()
  before, after = make(), make()
  add_before, add_after = fakes.adder(before), fakes.adder(after)
  add_before(range(count))
  before.save(checkpoint, None)
  after.restore(checkpoint)
  for more in (0, 5):
    add_before(range(count, count + more))
    add_after(range(count, count + more))
    held = min(count + more, _LENGTH)
    if held:
      assert fakes.content(after, held) == fakes.content(before, held)


def test_its_size_is_known_before_it_is_made(make):
  """A step takes its bytes at least, and all streams have the same share."""
  replay = make()
  assert replay.size == type(replay).size_of(
      fakes.SPEC, fakes.STREAMS, _CAPACITY
  )
  assert replay.size.capacity == 40
  assert replay.size.step_bytes >= 8 * 8 * 3 + 1 + 2 * 2 + 3 * 4
  all_bytes = 40 * replay.size.step_bytes
  assert max(replay.size.memory_bytes, replay.size.disk_bytes) == all_bytes
