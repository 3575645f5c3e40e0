"""Tests that scores from our records are those of BSuite's own logs."""

import importlib

import numpy as np
import pytest

from r2i_tf import environments
from r2i_tf.environments.suites import bsuite as suite
from r2i_tf.reports import bsuite_scores
from r2i_tf.reports import runs
from tests.reports import made

pd = pytest.importorskip('pandas')
pytest.importorskip('plotnine')
bsuite_wrappers = pytest.importorskip('bsuite.utils.wrappers')

_EPISODES = 12


class _Logger:
  """Keeps in memory what BSuite logs."""

  def __init__(self):
    self.rows = []

  def write(self, row):
    self.rows.append(dict(row))


def _actions(environment):
  draw = np.random.default_rng(0)
  count = environment.action_spec().num_values
  return lambda: int(draw.integers(count))


def _ours(task, path):
  """Returns the run that would record the episodes of random actions."""
  environment = environments.load(f'bsuite/{task}', 0)
  draw = np.random.default_rng(0)
  count = int(environment.action_spec().maximum) + 1
  returns, info, total = [], {}, 0.0
  environment.reset()
  while len(returns) < _EPISODES:
    action = np.asarray(draw.integers(count), environment.action_spec().dtype)
    step = environment.step(action)
    total += float(step.reward)
    if step.is_last():
      returns.append(total)
      total = 0.0
      for name, value in environment.get_info().items():
        info.setdefault(name, []).append(value)
      environment.reset()
  made.run(path, returns, info=info or None)
  return runs.Run(f'bsuite/{task}', 'a', 0, path, runs.State.FINISHED, window=1)


def _theirs(task):
  """Returns BSuite's score of the same episodes, by its own logging."""
  from bsuite import sweep

  logger = _Logger()
  environment = bsuite_wrappers.Logging(
      suite._make(task, 0), logger, log_every=True
  )
  act = _actions(environment)
  for _ in range(_EPISODES):
    step = environment.reset()
    while not step.last():
      step = environment.step(act())
  experiment = task.split('/')[0]
  frame = pd.DataFrame(logger.rows).assign(
      bsuite_id=task,
      **{k: v for k, v in sweep.SETTINGS[task].items() if v is not None},
  )
  analysis = importlib.import_module(
      f'bsuite.experiments.{experiment}.analysis'
  )
  return analysis.score(frame)


@pytest.mark.parametrize(
    'task',
    [
        'catch/0',
        'catch_noise/7',
        'cartpole/0',
        'cartpole_scale/3',
        'discounting_chain/2',
        'memory_len/0',
        'memory_size/3',
        'umbrella_length/2',
    ],
)
def test_the_score_is_bsuites(task, tmp_path):
  """Of the same episodes, our record and BSuite's log give one score."""
  (score,) = bsuite_scores.scores([_ours(task, tmp_path / 'run')])
  assert score.value == pytest.approx(_theirs(task), abs=1e-6)
  assert score.episodes == _EPISODES


def test_a_score_by_hand(tmp_path):
  """Of three lengths of memory_len, the two that are right count."""
  found = []
  for index, right in enumerate([1.0, 0.9, 0.5]):
    count = int(10 * right)
    perfect = [1.0] * count + [0.0] * (10 - count)
    path = made.run(
        tmp_path / str(index),
        [2 * x - 1 for x in perfect],
        info={'total_perfect': perfect},
    )
    found.append(
        runs.Run(
            f'bsuite/memory_len/{index}', 'a', 0, path, runs.State.FINISHED, 1
        )
    )
  (score,) = bsuite_scores.scores(found)
  assert score.value == pytest.approx(2 / 3)
  assert score.ids == (0, 1, 2)


def test_seeds_of_different_lengths_are_cut_alike(tmp_path):
  """The longer run counts up to the length of the shorter one only."""
  found = []
  for seed, regrets in enumerate([[2.0] * 4, [0.0] * 4 + [2.0] * 40]):
    path = made.run(
        tmp_path / str(seed),
        [1 - x for x in regrets],
        info={'total_regret': regrets},
    )
    found.append(
        runs.Run('bsuite/catch/0', 'a', seed, path, runs.State.FINISHED, 1)
    )
  (score,) = bsuite_scores.scores(found)
  assert score.episodes == 4
  # The mean regret is (2 + 0) / 2, that of random play 1.6.
  assert score.value == pytest.approx((1.6 - 1.0) / 1.6)


@pytest.mark.parametrize(
    'experiment', ['catch', 'deep_sea', 'deep_sea_stochastic']
)
def test_a_record_without_counts_has_no_score(experiment, tmp_path):
  """As those of older versions are; nothing is made up."""
  path = made.run(tmp_path / 'a', [1.0, 1.0])
  run = runs.Run(f'bsuite/{experiment}/0', 'a', 0, path, runs.State.FINISHED, 1)
  (score,) = bsuite_scores.scores([run])
  assert score.value is None and score.reason == 'not recorded'


def test_a_score_of_the_last_episodes_needs_them(tmp_path):
  """That of mnist is of the episodes from 9,000 on."""
  path = made.run(tmp_path / 'a', [1.0], info={'total_regret': [0.0]})
  run = runs.Run('bsuite/mnist/0', 'a', 0, path, runs.State.FINISHED, 1)
  (score,) = bsuite_scores.scores([run])
  assert score.value is None and score.reason == 'too few episodes'
