"""Which steps are held out, and that no batch of the other side has one."""

import numpy as np
import pytest
from tf_agents.trajectories import time_step as ts

from r2i_tf import replay as replay_lib
from r2i_tf.replay import held_out
from r2i_tf.replay import sampling as sampling_lib
from tests.replay import fakes

_L = 6
_TRAINED, _HELD_OUT = held_out.Part.TRAINED, held_out.Part.HELD_OUT
_HELD = [range(3, 320), range(330, 700)]  # 24 to 29, 216 to 221, ...
_KINDS = [replay_lib.UniformReplay, replay_lib.DiskReplay]


def _is_held_out(number):
  return number % (32 * _L) // _L == 4


def _steps_of(stretches):
  return [n for first, stop in stretches for n in range(first, stop)]


def test_each_step_is_on_one_side():
  """One length in 32, from the fourth on."""
  trained = _steps_of(held_out.Selection(_TRAINED, _L).bounds(_HELD))
  reserved = _steps_of(held_out.Selection(_HELD_OUT, _L).bounds(_HELD))
  assert sorted(trained + reserved) == [n for held in _HELD for n in held]
  assert reserved == list(filter(_is_held_out, sorted(trained + reserved)))
  assert reserved[:_L] == list(range(24, 30))


def _types(count, seed=0):
  """Returns the step types of three streams of short episodes."""
  rng = np.random.default_rng(seed)
  types = np.full([3, count], ts.StepType.MID)
  for row in types:
    at = 0
    while at < count:
      row[at] = ts.StepType.FIRST
      at += rng.integers(2, 10)
      row[min(at, count) - 1] = ts.StepType.LAST
  return types


def _drawn(part, **options):
  """Returns the numbers of the steps of many sequences, a set for each."""
  types = _types(700)
  sampler = sampling_lib.Sampler(
      replay_lib.Sampling(part=part, **options),
      3,
      _L,
      lambda steps: types[:, steps.start : steps.stop],
      kept=700,
  )
  draws = sampler.draw(0, 5_000, _HELD)
  return [
      range(start, start + steps)
      for start, steps in zip(draws.starts.tolist(), draws.lengths.tolist())
  ]


@pytest.mark.parametrize(
    'options', [{}, {'episode_starts': 0.5}, {'whole_episodes': True}]
)
def test_no_sequence_touches_the_other_side(options):
  """Not with a single step, wherever sequences start; all steps are drawn."""
  trained, reserved = _drawn(_TRAINED, **options), _drawn(_HELD_OUT, **options)
  assert not any(_is_held_out(n) for steps in trained for n in steps)
  assert all(_is_held_out(n) for steps in reserved for n in steps)
  if not options:
    seen = {n for steps in trained + reserved for n in steps}
    assert seen == {n for held in _HELD for n in held}


def test_a_sampler_that_looked_often_holds_out_the_same():
  """As steps come in one by one, and old ones leave."""
  types = _types(400)

  def sampler():
    return sampling_lib.Sampler(
        replay_lib.Sampling(whole_episodes=True, part=_TRAINED),
        3,
        _L,
        lambda steps: types[:, steps.start : steps.stop],
    )

  often = sampler()
  for stop in range(_L, 400, 5):
    held = [range(max(0, stop - 250), stop)]
    got, once = often.draw(0, 50, held), sampler().draw(0, 50, held)
    np.testing.assert_array_equal(got.starts, once.starts)
    assert not any(
        _is_held_out(n)
        for start, steps in zip(got.starts.tolist(), got.lengths.tolist())
        for n in range(start, start + steps)
    )


def test_a_small_replay_holds_nothing_out():
  """It would have times with nothing to train on."""
  held = [range(20, 40)]
  assert _steps_of(held_out.Selection(_TRAINED, _L, 191).bounds(held)) == list(
      range(20, 40)
  )
  assert not len(held_out.Selection(_HELD_OUT, _L, 191).bounds(held))
  assert len(_steps_of(held_out.Selection(_TRAINED, _L, 192).bounds(held))) < 20


@pytest.mark.parametrize('kept', [7, 100, 191, 192, 193, 500])
def test_there_is_always_something_to_train_on(kept):
  """In a ring of any size, from the first whole sequence on."""
  selection = held_out.Selection(_TRAINED, _L, kept)
  for stop in range(_L, 900):
    bounds = selection.bounds([range(max(0, stop - kept), stop)])
    assert np.max(bounds[:, 1] - bounds[:, 0]) >= _L, stop


def test_memory_and_disk_hold_out_the_same(tmp_path):
  """Both parts of both, bit for bit, while steps come in and leave."""
  kept = 32 * 2
  replays = [
      kind(fakes.SPEC, fakes.STREAMS, fakes.STREAMS * kept, tmp_path)
      for kind in _KINDS
  ]
  adders = [fakes.adder(replay) for replay in replays]
  batches = {
      part: [
          iter(replay.sample(4, 2, replay_lib.Sampling(7, part=part)))
          for replay in replays
      ]
      for part in (_TRAINED, _HELD_OUT)
  }
  for number in range(150):
    for add in adders:
      add([number])
    for part, both in batches.items():
      has = {replay.has_sequence(2, part) for replay in replays}
      assert len(has) == 1 and (part == _HELD_OUT or has == {number >= 1})
      if has == {True}:
        memory, disk = (fakes.numbers(next(batch)) for batch in both)
        np.testing.assert_array_equal(memory, disk)
        is_held_out = memory[0] % 64 // 2 == 4
        assert np.all(is_held_out == (part == _HELD_OUT))


def test_only_held_out_steps_are_no_batch():
  """Where files were lost, a run collects until it can train again."""
  selection = held_out.Selection(_TRAINED, _L, 500)
  firsts, stops = selection.bounds([range(22, 32)]).T
  assert not np.any(stops - firsts >= _L)
  sampler = sampling_lib.Sampler(
      replay_lib.Sampling(part=_TRAINED), 3, _L, lambda _: None, 500
  )
  with pytest.raises(sampling_lib.NoSequenceError):
    sampler.draw(0, 1, [range(22, 32)])
