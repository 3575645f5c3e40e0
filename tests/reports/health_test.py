"""Health notes: each failure is found where it is, and nowhere else."""

import numpy as np
import pytest

from r2i_tf.reports import health
from r2i_tf.reports import history
from tests.reports import made_look

_TWO = {'dtype': 'int32', 'shape': [], 'minimum': '0', 'maximum': '1'}


def _run(task='bsuite/memory_len/22', changes=(), action=None, **scalars):
  config = made_look.config(task=task, **dict(changes))
  lines = made_look.lines(**scalars)
  return history.History(config, lines, action=action or {})


def _flat(_):
  return 0.0


# What is known to go wrong, by the check that finds it.
_FAILURES = {
    health.refused_steps: dict(train__refused=lambda t: 0.02 * (t > 0.5)),
    health.values_exploding: dict(critic__value=lambda t: np.exp(12 * t)),
    health.nothing_foreseen: dict(
        forecast__error=0.06, world_model__free_share=0.95
    ),
    health.forecast: dict(forecast__error=0.06, world_model__free_share=0.1),
    health.untaught_dynamics: dict(
        task='dmc/cartpole/balance', world_model__free_share=0.9
    ),
    health.by_heart: dict(held_out__reward_loss=0.2),
    health.entropy_gone: dict(action=_TWO, actor__entropy=0.03, returns=_flat),
    health.uniform_policy: dict(
        action=_TWO,
        actor__entropy=0.69,
        returns=_flat,
        world_model__reward_loss=0.0152,
    ),
    health.plateau: dict(
        action=_TWO,
        actor__entropy=0.5,
        returns=_flat,
        world_model__reward_loss=0.0086,
    ),
}


def test_a_run_that_learns_has_no_note():
  """Nor has a control task whose dynamics are taught."""
  assert health.notes(_run(action=_TWO)) == []
  assert health.notes(_run('dmc/cartpole/balance')) == []


@pytest.mark.parametrize(
    'check', _FAILURES, ids=[check.__name__ for check in _FAILURES]
)
def test_each_failure_is_found_by_its_own_check(check):
  """By that one alone, with numbers and advice, and not by a few records."""
  run = _run(**_FAILURES[check])
  (note,) = health.notes(run)
  assert note == check(run)
  assert any(map(str.isdigit, note.evidence)) and note.advice.endswith('.')
  if check not in (health.refused_steps, health.values_exploding):
    few = history.History(run.config, run.records[-5:], action=run.action)
    assert check(few) is None


def test_restarts_are_counted():
  """As the last record has them."""
  run = _run(action=_TWO, environment_restarts=3)
  (note,) = health.notes(run)
  assert '3 restarts in 480 episodes' in note.evidence


def test_train_steps_that_are_missing():
  """Half of those that the environment steps ask for; a tenth may be due."""
  run = _run()
  late = [{**r, 'train_steps': r['train_steps'] // 2} for r in run.records]
  note = health.train_ratio(history.History(run.config, late))
  assert '2,244 were taken: 50%' in note.evidence
  soon = [{**r, 'train_steps': 0.95 * r['train_steps']} for r in run.records]
  assert health.train_ratio(history.History(run.config, soon)) is None


def test_values_that_are_no_numbers():
  """The record has null for them."""
  run = _run(critic__value=lambda t: None if t > 0.9 else 1.0)
  assert 'no longer finite' in health.values_exploding(run).title


def test_records_without_a_train_step_say_nothing_of_values():
  """As after a change of hosts, when the prefill is waited for again."""
  lines = [dict(record) for record in _run().records]
  for record in lines[-3:]:
    del record['critic/value']
  run = history.History(made_look.config(), lines)
  assert health.values_exploding(run) is None


def test_a_reward_that_is_known_for_certain_is_not_learned_by_heart():
  """Its losses may be zero."""
  run = _run(held_out__reward_loss=0.0, world_model__reward_loss=0.0)
  assert health.by_heart(run) is None


def test_returns_that_are_no_numbers_are_no_episodes():
  """However many there are, they say nothing of a rise."""
  run = _run(action=_TWO, actor__entropy=0.03)
  lines = [{**r, 'episode_returns': 8 * [None]} for r in run.records]
  run = history.History(run.config, lines, action=_TWO)
  assert health.notes(run) == []


def test_values_may_exceed_the_return_where_a_time_limit_cuts():
  """Rewards that go on are worth more than the episode that was cut."""
  short = [
      {**r, 'environment_steps': 2 * r['episodes']} for r in _run().records
  ]
  short = [{**r, 'critic/value': 100.0} for r in short]
  config = made_look.config(**{'agent.behavior.discount': 0.99})
  assert health.values_exploding(history.History(config, short)) is None
  config = made_look.config(**{'agent.behavior.discount': 0.9})
  assert health.values_exploding(history.History(config, short)) is not None


def test_standing_still_is_no_forecast_where_nothing_moves():
  """Where it is nearer than the reconstruction, which sees the observation."""
  run = _run(
      forecast__error=0.001,
      forecast__persistence=0.0006,
      world_model__free_share=0.98,
      world_model__reconstruction_loss=0.002,
  )
  assert health.notes(run) == []


def test_scalars_of_different_records_are_compared_in_the_same():
  """While both fall, those of fewer records reach further back."""

  def fall(t):
    return np.exp(-8 * t)

  run = _run(held_out__reward_loss=fall, world_model__reward_loss=fall)
  few = [dict(record) for record in run.records]
  for record in few[1::2]:
    del record['held_out/reward_loss']
  run = history.History(run.config, few)
  held_out = run.recent('held_out/reward_loss')
  assert held_out > 3 * run.recent('world_model/reward_loss')
  assert health.by_heart(run) is None


def test_a_scalar_of_every_other_record_is_one_curve():
  """Records that lack it are no gaps; a value that is not finite is one."""
  lines = [
      {'environment_steps': step, **({'loss': value} if step % 2 else {})}
      for step, value in enumerate([0, 1.0, 0, None, 0, 3.0])
  ]
  steps, values = history.History(made_look.config(), lines).points('loss')
  np.testing.assert_array_equal(steps, [1, 3, 5])
  np.testing.assert_array_equal(values, [1.0, np.nan, 3.0])


def test_the_number_of_actions_is_seen_in_an_even_policy():
  """While nothing is exported; not in one that was never seen to be even."""
  for entropy, largest in ((0.69, np.log(2)), (1.385, np.log(4)), (0.5, None)):
    run = _run(actor__entropy=lambda t, entropy=entropy: entropy - 0.2 * t)
    assert run.largest_entropy == largest
  assert _run(actor__entropy=-0.1).largest_entropy is None


def test_a_run_with_no_record_has_no_note():
  """And one whose directory is empty can be read."""
  assert health.notes(history.History(made_look.config())) == []


def test_an_empty_directory_is_an_empty_history(tmp_path):
  """With the defaults for its configuration."""
  run = history.read(tmp_path)
  assert (run.records, run.outcome, run.last) == ([], None, {})
  assert run.config['agent']['world_model']['bins'] == 255
