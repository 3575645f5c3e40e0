"""Linear probes: how much of a past value a straight line finds in a state.

Ridge regression for numbers, logistic regression for one of a few values, both
by scikit-learn on standardised features. Episodes, never steps, are divided:
some to fit, some of these to choose the penalty, and the rest to score. An
accuracy is the mean over the values of how often each is recognised, so that
chance is one over their number, however rare some are; R^2 is that of all
numbers together, and chance is 0.

Knows arrays alone.
"""

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
import dataclasses
import itertools
from typing import Any, Optional
import warnings

import numpy as np
from sklearn import decomposition
from sklearn import exceptions
from sklearn import linear_model
from sklearn import metrics
import threadpoolctl

from r2i_tf.analysis import targets as targets_lib

_PENALTIES = (1.0, 10.0, 100.0, 1e3, 1e4)  # Of squared weights.
_TEST = 0.3  # Of the episodes.
_CHOOSE = 0.25  # Of those to fit.
_FEATURES = 512  # Of more, the first principal components.
_ROWS = 2000  # Steps to fit, and as many to score, drawn from all.
_LEAST = 8  # Fewer episodes to score say nothing.


# The steps that are looked into; what is looked for, as a target has it; and at
# which steps of which episodes there is both.
_Pairs = tuple[slice, np.ndarray, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Split:
  """Which episodes are for what; each number is of one alone.

  Attributes:
    fit: To fit with every penalty.
    choose: To choose the penalty by; then both are fitted together.
    test: To score.
  """

  fit: np.ndarray
  choose: np.ndarray
  test: np.ndarray


def split(count: int, seed: int) -> Split:
  """Returns a division of `count` episodes at random, drawn by `seed`."""
  order = np.random.default_rng(seed).permutation(count)
  tested = round(_TEST * count)
  chosen = round(_CHOOSE * (count - tested))
  test, choose, fit = np.split(order, [tested, tested + chosen])
  return Split(fit, choose, test)


@threadpoolctl.threadpool_limits.wrap(limits=1)
def reduced(
    features: np.ndarray, lengths: np.ndarray, parts: Split, seed: int
) -> np.ndarray:
  """Returns features as they are, or the first principal components of many.

  Args:
    features: float32 [N, T, F], of the states.
    lengths: Steps of each episode, int [N].
    parts: Of the N episodes; those to fit are what components are taken from.
    seed: Of the draw of steps.

  Returns:
    float32 [N, T, F'], F' at most 512.
  """
  if features.shape[-1] <= _FEATURES:
    return features
  within = np.arange(features.shape[1]) < lengths[parts.fit][:, np.newaxis]
  x = features[parts.fit][within]
  x = np.random.default_rng(seed).permutation(x)[:_ROWS]
  standard = _Standard(x)
  components = decomposition.PCA(
      min(_FEATURES, len(x)), svd_solver='randomized', random_state=seed
  ).fit(standard(x))
  flat = components.transform(standard(features.reshape([-1, x.shape[-1]])))
  return flat.reshape([*features.shape[:2], -1]).astype(np.float32)


def fewest() -> int:
  """Returns how many episodes it takes to score a probe at all."""
  return next(n for n in itertools.count() if len(split(n, 0).test) >= _LEAST)


def log_lags(lengths: np.ndarray) -> list[int]:
  """Returns lags from 0 on, a power of two each, to the length of episodes.

  Half of the episodes have as many steps before their last one.

  Args:
    lengths: Of the episodes, int [N].
  """
  most = int(np.median(lengths)) - 1
  doubled = [2**power for power in range(max(most, 1).bit_length())]
  return sorted({0, *(lag for lag in doubled if lag <= most), max(most, 0)})


def by_lag(
    features: np.ndarray,
    target: targets_lib.Target,
    lengths: np.ndarray,
    lags: Sequence[int],
    parts: Split,
    seed: int,
) -> list[Optional[float]]:
  """Returns how well a target k steps ago is found in a state.

  Args:
    features: float32 [N, T, F], of the states.
    target: Of the same steps.
    lengths: Steps of each episode, int [N].
    lags: Those, k.
    parts: Of the N episodes.
    seed: Of the draw of steps.

  Returns:
    The score of each lag; None where there are too few episodes, or where
    those to fit or to score lack a value.
  """
  return [
      _score(features[:, now], values, counts, target, parts, seed)
      for now, values, counts in _lagged(target, lengths, lags)
  ]


def by_age(
    features: np.ndarray,
    target: targets_lib.Target,
    lengths: np.ndarray,
    ages: Sequence[int],
    parts: Split,
    seed: int,
) -> list[Optional[float]]:
  """Returns how well what a target was at first is found in later states.

  Each later step has a probe of its own.

  Args:
    features: As for `by_lag`.
    target: As for `by_lag`.
    lengths: As for `by_lag`.
    ages: The numbers of these steps.
    parts: As for `by_lag`.
    seed: As for `by_lag`.

  Returns:
    As `by_lag` does.
  """
  return [
      _score(features[:, now], values, counts, target, parts, seed)
      for now, values, counts in _aged(target, lengths, ages)
  ]


def chance_by_lag(
    target: targets_lib.Target, lengths: np.ndarray, lags: Sequence[int]
) -> float:
  """Returns the score of whoever knows nothing, at the lag where it is highest.

  Args:
    target: As for `by_lag`.
    lengths: As for `by_lag`.
    lags: As for `by_lag`.
  """
  return _chance(target, _lagged(target, lengths, lags))


def chance_by_age(
    target: targets_lib.Target, lengths: np.ndarray, ages: Sequence[int]
) -> float:
  """Returns the score of whoever knows nothing, at the age where it is highest.

  Args:
    target: As for `by_lag`.
    lengths: As for `by_lag`.
    ages: As for `by_age`.
  """
  return _chance(target, _aged(target, lengths, ages))


def _lagged(
    target: targets_lib.Target, lengths: np.ndarray, lags: Sequence[int]
) -> Iterator[_Pairs]:
  """Yields the steps at each lag, with what the target was before."""
  steps = target.values.shape[1]
  within = np.arange(steps) < lengths[:, np.newaxis]
  for lag in lags:
    before = slice(0, steps - lag)
    now = slice(lag, steps)
    yield now, target.values[:, before], target.counts[:, before] & within[
        :, now
    ]


def _aged(
    target: targets_lib.Target, lengths: np.ndarray, ages: Sequence[int]
) -> Iterator[_Pairs]:
  """Yields the step of each age, with what the target was at first."""
  first = target.of_first_step()
  for age in ages:
    now = slice(age, age + 1)
    reach = (lengths > age)[:, np.newaxis]
    yield now, first.values[:, now], first.counts[:, now] & reach


def _chance(target: targets_lib.Target, pairs: Iterable[_Pairs]) -> float:
  if not target.classes:
    return 0.0
  known = [len(np.unique(values[counts])) for _, values, counts in pairs]
  # Where there is one value there is no score.
  return 1 / min((count for count in known if count > 1), default=1)


# Threads would wait for each other: these matrices are small.
@threadpoolctl.threadpool_limits.wrap(limits=1)
def _score(
    features: np.ndarray,
    values: np.ndarray,
    counts: np.ndarray,
    target: targets_lib.Target,
    parts: Split,
    seed: int,
) -> Optional[float]:
  """Fits, chooses and scores, on the steps [N, T'] that count."""
  generator = np.random.default_rng(seed)

  def drawn(episodes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows, steps = np.nonzero(counts[episodes])
    at = episodes[rows], steps
    kept = _evenly(values[at], target.classes, generator)
    at = at[0][kept], at[1][kept]
    return features[at], values[at]

  if np.count_nonzero(counts[parts.test].any(1)) < _LEAST:
    return None
  sets = [drawn(x) for x in (parts.fit, parts.choose, parts.test)]
  (x, y), (x_choose, y_choose), (x_test, y_test) = sets
  if not all(_can_be_told(y, values[counts], target.classes) for _, y in sets):
    return None
  x, x_choose, x_test = map(_Standard(x), (x, x_choose, x_test))
  best = max(
      _PENALTIES,
      key=lambda penalty: _quality(
          _fitted(x, y, penalty, target.classes), x_choose, y_choose, target
      ),
  )
  model = _fitted(
      np.concatenate([x, x_choose]),
      np.concatenate([y, y_choose]),
      best,
      target.classes,
  )
  return _quality(model, x_test, y_test, target)


def _can_be_told(y: np.ndarray, all_values: np.ndarray, classes: int) -> bool:
  """Returns whether some steps have what is to be told apart."""
  if classes:
    known = np.unique(all_values)
    return len(known) > 1 and len(np.unique(y)) == len(known)
  return len(y) > 1 and bool(np.any(y != y[0]))


def _evenly(
    values: np.ndarray, classes: int, generator: np.random.Generator
) -> np.ndarray:
  """Returns at most `_ROWS` of some steps, of each class as many as can be."""
  order = generator.permutation(len(values))
  if not classes:
    return order[:_ROWS]
  share = max(1, _ROWS // classes)
  return np.concatenate(
      [order[values[order] == label][:share] for label in range(classes)]
  )


class _Standard:
  """Features of mean 0 and deviation 1."""

  def __init__(self, x: np.ndarray):
    self._mean = x.mean(0, dtype=np.float64)
    deviation = x.std(0, dtype=np.float64)
    # One that never changes stays out, whatever it is elsewhere.
    self._scale = np.where(deviation > 1e-6, 1 / np.maximum(deviation, 1e-6), 0)

  def __call__(self, x: np.ndarray) -> np.ndarray:
    return ((x - self._mean) * self._scale).astype(np.float32)


def _fitted(x: np.ndarray, y: np.ndarray, penalty: float, classes: int) -> Any:
  if not classes:
    return linear_model.Ridge(penalty).fit(x, y)
  model = linear_model.LogisticRegression(
      C=1 / penalty, class_weight='balanced', max_iter=100, tol=1e-3
  )
  with warnings.catch_warnings():
    # Where it stopped early, it is scored as it is.
    warnings.simplefilter('ignore', exceptions.ConvergenceWarning)
    return model.fit(x, y)


def _quality(
    model: Any, x: np.ndarray, y: np.ndarray, target: targets_lib.Target
) -> float:
  """Returns accuracy or R^2, as the module says."""
  guess = model.predict(x)
  if target.classes:
    return float(metrics.balanced_accuracy_score(y, guess))
  guess = guess.reshape(y.shape)
  return float(metrics.r2_score(y, guess, multioutput='variance_weighted'))
