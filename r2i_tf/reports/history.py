"""What a run has left in its directory, read for its page and health notes.

  config.json, metrics.jsonl, outcome.json, evaluation.json -> History

Nothing here fails on a run that goes on, on an old one, or on a part that is
missing or damaged: that part is then empty.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import functools
import json
import math
import pathlib
from typing import Any, Optional

import numpy as np

from r2i_tf import run_config
from r2i_tf import schema
from r2i_tf.record import learning_curve
from r2i_tf.record import outcome as outcome_lib
from r2i_tf.record import records
from r2i_tf.training import workdir as workdir_lib

# Of the largest entropy, that of a policy that is still nearly even.
_NEARLY = 0.98
_CONTROL = 'dmc/'  # The one suite whose actions are all continuous.


@dataclasses.dataclass(frozen=True)
class History:
  """The record of a run beside its configuration.

  Attributes:
    config: Every field of `RunConfig`, as plain values. Those that the file of
      the run lacks have their defaults.
    records: Those of metrics.jsonl, in order.
    versions: Of packages, by name.
    action: Of the exported policy's action spec, if it is known: 'dtype',
      'shape' and, if discrete, 'minimum' and 'maximum'. Empty otherwise.
    outcome: What is known at the end; None while it is not over.
    evaluation: Of the greedy policy; empty without one.
    workdir: The directory.
    is_r2i: Whether the run is one of this agent, and not of another program
      that keeps a record: then most of `config` says nothing about it.
  """

  config: Mapping[str, Any]
  records: Sequence[Mapping[str, Any]] = ()
  versions: Mapping[str, str] = dataclasses.field(default_factory=dict)
  action: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  outcome: Optional[outcome_lib.Outcome] = None
  evaluation: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  workdir: pathlib.Path = pathlib.Path()
  is_r2i: bool = True

  @property
  def last(self) -> Mapping[str, Any]:
    """The last record; empty before the first."""
    return self.records[-1] if self.records else {}

  @functools.cached_property
  def names(self) -> Sequence[str]:
    """The scalars of any record, in the order in which they came."""
    return list(
        dict.fromkeys(
            name
            for record in self.records
            for name, value in record.items()
            if not isinstance(value, (list, dict, str))
        )
    )

  def series(self, name: str) -> np.ndarray:
    """Returns a scalar over the records.

    Args:
      name: The scalar.

    Returns:
      float64 [records]; NaN where a record lacks it or it was not finite.
    """
    return np.array(
        [number(record.get(name)) for record in self.records], np.float64
    )

  def points(self, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns environment steps and a scalar, of the records that have it.

    Args:
      name: The scalar.

    Returns:
      Two float64 [N]; NaN where it was not finite.
    """
    has = np.array([name in record for record in self.records], bool)
    return self.series(records.STEP)[has], self.series(name)[has]

  def recent(self, name: str, count: int = 20) -> Optional[float]:
    """Returns the mean of a scalar over the last records that have it.

    Args:
      name: The scalar.
      count: How many records, at most.
    """
    values = self.recent_of((name,), count)
    return None if values is None else values[0]

  def recent_of(
      self, names: Sequence[str], count: int = 20
  ) -> Optional[list[float]]:
    """Returns means of scalars, over the last records that have all of them.

    They can be compared, also where not every record has all.

    Args:
      names: The scalars.
      count: How many records, at most.
    """
    values = np.stack([self.series(name) for name in names])
    values = values[:, np.isfinite(values).all(0)][:, -count:]
    return values.mean(1).tolist() if values.size else None

  @functools.cached_property
  def returns(self) -> np.ndarray:
    """The return of every finished episode, float64 [episodes]."""
    return np.array(
        [
            number(value)
            for record in self.records
            for value in record.get('episode_returns') or ()
        ],
        np.float64,
    )

  @property
  def is_continuous(self) -> bool:
    """Whether actions are known to be numbers of a range, not choices."""
    if self.action:
      return str(self.action.get('dtype', '')).startswith('float')
    return str(self.config.get('task', '')).startswith(_CONTROL)

  @property
  def choices(self) -> Optional[int]:
    """How many actions there are to choose from; None if that is not known."""
    if self.is_continuous or self.action.get('shape') != []:
      return None
    try:
      return int(self.action['maximum']) - int(self.action['minimum']) + 1
    except (KeyError, TypeError, ValueError):
      return None

  @functools.cached_property
  def largest_entropy(self) -> Optional[float]:
    """The entropy of a policy that chooses evenly, nats.

    Where the number of actions is not known, it is the smallest that allows for
    the largest entropy of the record: a new policy is nearly even. None where
    it was not, and for continuous actions, whose entropy is relative to their
    units.
    """
    if self.is_continuous:
      return None
    if self.choices is not None:
      return math.log(self.choices) if self.choices > 1 else None
    values = self.series('actor/entropy')
    values = values[np.isfinite(values)]
    if not len(values) or values.min() < 0:
      return None
    most = math.log(max(2, math.ceil(math.exp(values.max()) - 1e-3)))
    return most if values.max() >= _NEARLY * most else None

  def read_json(self, name: str) -> Mapping[str, Any]:
    """Returns a JSON object of the directory; empty if there is none.

    Args:
      name: The path, from the directory on.
    """
    return _json(self.workdir / name)

  @functools.cached_property
  def curve(self) -> learning_curve.Curve:
    """The mean return of the last 100 episodes, at the end of each."""
    path = self.workdir / records.FILE
    try:
      return learning_curve.read_curve(path, records.SHOWN)
    except (OSError, KeyError, TypeError, ValueError):
      return learning_curve.Curve(*3 * [np.zeros([0])])


def read(workdir: pathlib.Path) -> History:
  """Returns the history of a run.

  Args:
    workdir: Its directory.
  """
  file = _json(workdir / 'config.json')
  config, versions = file.get('config'), file.get('versions')
  config = config if isinstance(config, dict) else {}
  task = _json(workdir / 'policies' / 'greedy' / 'task.json')
  specs = task.get('specs')
  action = specs.get('action') if isinstance(specs, dict) else None
  try:
    found = list(records.read(workdir / records.FILE))
  except OSError:
    found = []
  return History(
      config=workdir_lib.with_defaults(
          config,
          schema.to_mapping(run_config.RunConfig()),
      ),
      records=found,
      versions=versions if isinstance(versions, dict) else {},
      # The actions of a nest are several specs, by their names.
      action=action if isinstance(action, dict) and 'dtype' in action else {},
      outcome=outcome_lib.read(workdir),
      evaluation=_json(workdir / 'policies' / 'greedy' / 'evaluation.json'),
      workdir=workdir,
      is_r2i='agent' in config,
  )


def number(value: Any) -> float:
  """Returns a number of a JSON file; NaN for anything else."""
  if isinstance(value, (int, float)) and not isinstance(value, bool):
    return float(value)
  return math.nan


def _json(path: pathlib.Path) -> Mapping[str, Any]:
  try:
    found = json.loads(path.read_text(encoding='utf-8'))
  except (OSError, ValueError):
    return {}
  return found if isinstance(found, dict) else {}
