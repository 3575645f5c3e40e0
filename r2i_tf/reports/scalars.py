"""The scalars of a record: what each means, and where it is healthy.

`scalars.json` has the words, which are those of docs/scalars.md; a test
compares them. Here are the ranges and marks that a chart can show, of those
scalars for which the configuration, or the run itself, says them.
"""

from collections.abc import Iterator
from collections.abc import Mapping
import functools
import json
import math
import pathlib
from typing import NamedTuple, Optional

from r2i_tf.reports import history as history_lib

PATH = pathlib.Path(__file__).with_name('scalars.json')


class Scalar(NamedTuple):
  """A row of docs/scalars.md, in its Markdown.

  Attributes:
    meaning: What it is.
    healthy: What is said of a run that learns; '' where there is nothing.
  """

  meaning: str
  healthy: str


class Range(NamedTuple):
  """Where a scalar is healthy, as far as there are numbers for it.

  Attributes:
    low: The least healthy value; None for no bound.
    high: The greatest.
    marks: Values to compare with, by what they are.
  """

  low: Optional[float] = None
  high: Optional[float] = None
  marks: Mapping[str, float] = {}

  @property
  def is_bounded(self) -> bool:
    """Whether anything lies outside."""
    return self.low is not None or self.high is not None

  def holds(self, value: float) -> bool:
    """Returns whether a value is healthy."""
    return (self.low is None or value >= self.low) and (
        self.high is None or value <= self.high
    )


@functools.cache
def known() -> Mapping[str, Scalar]:
  """Returns every scalar of docs/scalars.md by its name."""
  rows = json.loads(PATH.read_text(encoding='utf-8'))
  return {
      name: Scalar(row['meaning'], row['healthy'])
      for row in rows
      for name in _names(row['scalar'])
  }


def _names(cell: str) -> Iterator[str]:
  """Yields the names of a cell, such as '`forecast/error_1`, _5, ...'."""
  first, *others = [name.strip(' `') for name in cell.split(',')]
  yield first
  for name in others:
    if name.startswith('_'):
      yield first.rpartition('_')[0] + name
    elif name != '...':
      yield name


def healthy(name: str, run: history_lib.History) -> Range:
  """Returns where a scalar is healthy in a run.

  Args:
    name: The scalar.
    run: Its configuration counts, and the scales that it has come to.
  """
  agent = run.config['agent']
  model = agent['world_model']
  latent = model['latent']
  most = latent['groups'] * math.log(latent['classes'])
  if name == 'world_model/reward_loss':
    return Range(None, None, {'ln(bins)': math.log(model['bins'])})
  if name == 'world_model/continuation_loss':
    return Range(0.0, 0.1)
  if name == 'world_model/kl':
    return Range(0.1, None, {'free nats': model['dynamics_free_nats']})
  if name == 'world_model/dynamics_loss':
    return Range(None, None, {'free nats': model['dynamics_free_nats']})
  if name == 'world_model/representation_loss':
    return Range(None, None, {'free nats': model['representation_free_nats']})
  if name in ('world_model/prior_entropy', 'world_model/posterior_entropy'):
    return Range(0.0, 0.95 * most, {'evenly drawn': most})
  if name == 'world_model/free_share' and run.is_continuous:
    return Range(0.0, 0.5)
  if name.endswith('/gradient_norm'):
    return _gradient(name, agent)
  if name == 'actor/entropy' and run.largest_entropy is not None:
    largest = run.largest_entropy
    return Range(0.02 * largest, 0.97 * largest, {'even': largest})
  if name == 'critic/error':
    scale = run.recent('returns/scale')
    return Range() if scale is None else Range(0.0, scale / 2)
  if name == 'returns/scale':
    return Range(1.0, None)
  if name == 'train/refused':
    return Range(0.0, 0.0)
  return Range()


def _gradient(name: str, agent: Mapping[str, Mapping[str, float]]) -> Range:
  """Returns the norms that are not clipped."""
  group = {'ssm': 'world_model'}.get(name.partition('/')[0], name.split('/')[0])
  optimizer = agent.get(f'{group}_optimizer', {})
  return Range(None, optimizer.get('clip_norm'))
