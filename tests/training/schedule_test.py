"""When the run trains, and when it ends."""

import pytest

from r2i_tf import run_config
from r2i_tf.training import episodes
from r2i_tf.training import schedule
from tests.training import fakes


@pytest.mark.parametrize('ratio', [0.1, 1.0, 4.0, 7.3, 1024.0])
def test_replayed_steps_stay_within_one_batch_of_the_ratio(ratio):
  """The train ratio holds after every environment step, and does not drift."""
  config = fakes.config(train_ratio=ratio)
  batch = config.replay.batch_size * config.replay.sequence_length
  for collected in [0, 1, 3, 17, 1_000, 999_983, 123_456_789]:
    steps = schedule.train_steps_after(config.prefill + collected, config)
    assert steps * batch <= collected * ratio < (steps + 1) * batch


def test_prefill_is_not_trained_for():
  """The first train step waits for steps beyond the prefill."""
  config = fakes.config(train_ratio=1e6)
  assert schedule.train_steps_after(config.prefill, config) == 0
  assert schedule.train_steps_after(config.prefill + 1, config) > 0


def test_a_stretch_takes_about_a_second_however_fast_the_step():
  """The run looks up once or twice a second, or after each call."""
  for call_seconds in (1e-4, 0.02, 0.3, 50.0):
    stretch, clock = schedule.Stretch(), 0.0
    for _ in range(30):
      stretch.begin(clock)
      began = clock
      while stretch.take():
        clock += call_seconds
    assert clock - began <= max(1.0, call_seconds)
    assert clock - began >= min(0.5, call_seconds)


def test_a_short_stretch_stays_short():
  """Where a call or two are due at a time, none is owed the others' time."""
  stretch, clock = schedule.Stretch(), 0.0
  for _ in range(1000):
    stretch.begin(clock)
    assert stretch.take()
    clock += 0.01
  assert stretch.calls <= 2


def test_only_the_clock_ends_a_run_that_owes_train_steps():
  """Steps and returns end it when it has trained for them."""
  config = run_config.RunConfig(steps=10, max_minutes=5.0)
  recorder = episodes.EpisodeRecorder(
      fakes.load_batch('countdown/1', 0, 1, None, None)
  )
  recorder.environment_steps = 10
  assert schedule.stop_reason(recorder, 1.0, config, train_is_due=True) is None
  reason = schedule.stop_reason(recorder, 5.0, config, train_is_due=True)
  assert reason == schedule.StopReason.MINUTES
  reason = schedule.stop_reason(recorder, 5.0, config)
  assert reason == schedule.StopReason.STEPS


def test_a_mean_of_few_episodes_does_not_end_the_run():
  """`stop_at_return` waits for 200 episodes, however good the first ones."""
  config = run_config.RunConfig(stop_at_return=1.0)
  recorder = episodes.EpisodeRecorder(
      fakes.load_batch('countdown/1', 0, 1, None, None)
  )
  state = {'environment_steps': 1, 'restarts': 0}
  state.update(episodes=199, recent_returns=[1] * 199)
  recorder.restore(state)
  assert schedule.stop_reason(recorder, 0.0, config) is None
  state.update(episodes=200, recent_returns=[1] * 200)
  recorder.restore(state)
  reason = schedule.stop_reason(recorder, 0.0, config)
  assert reason == schedule.StopReason.RETURN
