"""What a child is to time, as the parent writes it on its command line.

Every contender reads the same sizes from it. Only the standard library: each
peer has a Python of its own.
"""

import dataclasses
import json
from typing import Optional


@dataclasses.dataclass(frozen=True)
class Sizes:
  """The sizes that all contenders share, and those that only the S3M has.

  Attributes:
    units: Of every layer, h_t among them.
    layers: Of encoder, decoder, heads, actor and critic.
    groups: Categorical variables of a latent.
    classes: Of each.
    bins: Of the two-hot reward and value.
    horizon: Imagined steps.
    state_size: P of one state-space layer.
    state_layers: How many state-space layers there are.
  """

  units: int
  layers: int
  groups: int
  classes: int
  bins: int
  horizon: int
  state_size: int
  state_layers: int


@dataclasses.dataclass(frozen=True)
class Run:
  """A whole run, which a program of the contender's own conducts.

  Attributes:
    environments: Stepped together.
    train_ratio: Steps replayed in training for each environment step.
    prefill: Environment steps before the first train step.
    free: Environment steps before timing begins: `prefill`, and what it takes
      to compile.
    directory: For what the run writes.
  """

  environments: int
  train_ratio: float
  prefill: int
  free: int
  directory: str


@dataclasses.dataclass(frozen=True)
class Work:
  """What one child does.

  Attributes:
    model: Which of the contender's models.
    sizes: Of the model.
    batch_size: Sequences in a batch.
    length: Steps in a sequence.
    seen: Numbers in an observation; of a train step.
    actions: To choose from; of a train step.
    run: The run; None for train steps on random sequences.
  """

  model: str
  sizes: Sizes
  batch_size: int
  length: int
  seen: int = 3
  actions: int = 2
  run: Optional[Run] = None

  @property
  def imagined(self) -> int:
    """How many states a train step imagines, one of each start and step."""
    return self.batch_size * self.length * self.sizes.horizon

  @property
  def gradient_ratio(self) -> float:
    """Train steps for each environment step, of what `run.train_ratio` asks.

    A train step replays `batch_size` times `length` steps.
    """
    assert self.run is not None
    return self.run.train_ratio / (self.batch_size * self.length)

  def to_json(self) -> str:
    """Returns it as one argument of a command line."""
    return json.dumps(dataclasses.asdict(self))

  @classmethod
  def from_json(cls, text: str) -> 'Work':
    """Returns what `to_json` has written."""
    fields = json.loads(text)
    fields['sizes'] = Sizes(**fields['sizes'])
    fields['run'] = fields['run'] and Run(**fields['run'])
    return cls(**fields)
