"""How the tasks of a suite are set up: one frozen dataclass for each suite.

The defaults are those of the paper (arXiv 2403.04253), which has them from
DreamerV3. Memory Maze leaves nothing to choose.
"""

import dataclasses
import enum
from typing import Any, Mapping, Optional, Union

from r2i_tf import schema


def _require_positive(suite: str, options: Any, *names: str) -> None:
  for name in names:
    value = getattr(options, name)
    schema.require(
        value > 0, f'{suite}.{name} is {value}, but it must be positive.'
    )


@dataclasses.dataclass(frozen=True)
class BsuiteOptions:
  """Of the tasks `bsuite/<experiment>/<setting>`.

  Attributes:
    image_size: Draws a board of numbers in [0, 1] (catch, deep_sea) as a gray
      image of this height and width: a small task for an agent that learns from
      images. None leaves observations as they are.
  """

  image_size: Optional[int] = None

  def __post_init__(self):
    if self.image_size is not None:
      _require_positive('bsuite', self, 'image_size')


@dataclasses.dataclass(frozen=True)
class AtariOptions:
  """Of the tasks `atari/<game>`; the defaults are those of Atari 100K.

  Attributes:
    action_repeat: Frames that an action is held; their rewards are summed, and
      the last two frames are seen as one, pixel by pixel the brighter.
    sticky_probability: Of a frame that repeats the action before, whatever the
      agent chose; 0.25 in the harder protocol.
    noops: An episode begins after a random number of frames without input, from
      0 to this.
    image_size: Height and width of the observation.
    grayscale: Gray images, of one channel. The default is colour, as in the
      paper: the world model has to draw what it sees, and in some games colour
      is all that tells two objects apart.
    full_actions: All 18 actions, not only those that the game uses.
    life_loss_ends: A lost life ends the episode with discount 0. The game goes
      on in the next one.
    max_frames: An episode that lasts longer is cut, with discount 1. The
      default is half an hour of play.
  """

  action_repeat: int = 4
  sticky_probability: float = 0.0
  noops: int = 30
  image_size: int = 64
  grayscale: bool = False
  full_actions: bool = False
  life_loss_ends: bool = False
  max_frames: int = 108_000

  def __post_init__(self):
    _require_positive('atari', self, 'action_repeat', 'image_size')
    _require_positive('atari', self, 'max_frames')
    schema.require(
        0 <= self.sticky_probability < 1,
        f'atari.sticky_probability is {self.sticky_probability}, but it must'
        ' lie in [0, 1).',
    )
    schema.require(
        self.noops >= 0,
        f'atari.noops is {self.noops}, but it must be at least 0.',
    )


class DmcObservations(enum.Enum):
  """What is seen of a task of the DeepMind Control Suite."""

  PROPRIO = 'proprio'
  VISION = 'vision'


@dataclasses.dataclass(frozen=True)
class DmcOptions:
  """Of the tasks `dmc/<domain>/<task>`.

  Attributes:
    observations: The suite's own vectors, or one image.
    action_repeat: Control steps that an action is held; rewards are summed.
    image_size: Height and width of the image.
    camera: Number of the camera; None takes 0, and 2 for the quadruped.
  """

  observations: DmcObservations = DmcObservations.PROPRIO
  action_repeat: int = 2
  image_size: int = 64
  camera: Optional[int] = None

  def __post_init__(self):
    _require_positive('dmc', self, 'action_repeat', 'image_size')
    schema.require(
        self.camera is None or self.camera >= 0,
        f'dmc.camera is {self.camera}, but it must be at least 0, or None.',
    )


@dataclasses.dataclass(frozen=True)
class PopgymOptions:
  """Of the tasks `popgym/<Name>`.

  Attributes:
    join_actions: The two coordinates of a field (Battleship, MineSweeper) are
      one choice among all fields, as in the paper. False keeps a vector of two,
      which a policy chooses independently of one another.
  """

  join_actions: bool = True


@dataclasses.dataclass(frozen=True)
class GymnasiumOptions:
  """Of the tasks `gymnasium/<id>`.

  Attributes:
    action_repeat: Steps that an action is held; rewards are summed.
    image_size: Height and width that images are brought to.
  """

  action_repeat: int = 1
  image_size: int = 64

  def __post_init__(self):
    _require_positive('gymnasium', self, 'action_repeat', 'image_size')


@dataclasses.dataclass(frozen=True)
class SuiteOptions:
  """The options of every suite; a task takes those of its own.

  Attributes:
    bsuite: Of `bsuite/<experiment>/<setting>`.
    atari: Of `atari/<game>`.
    dmc: Of `dmc/<domain>/<task>`.
    popgym: Of `popgym/<Name>`.
    gymnasium: Of `gymnasium/<id>`.
  """

  bsuite: BsuiteOptions = BsuiteOptions()
  atari: AtariOptions = AtariOptions()
  dmc: DmcOptions = DmcOptions()
  popgym: PopgymOptions = PopgymOptions()
  gymnasium: GymnasiumOptions = GymnasiumOptions()


@dataclasses.dataclass(frozen=True)
class PoolOptions:
  """Of a batch of environments that have a process each.

  Attributes:
    max_restarts: How often an environment that crashed is restarted, over all
      environments of the pool; the next crash ends the run.
    timeout_seconds: An environment that takes longer for a step, or to start,
      counts as crashed.
  """

  max_restarts: int = 10
  timeout_seconds: float = 300.0

  def __post_init__(self):
    _require_positive('pool', self, 'timeout_seconds')
    schema.require(
        self.max_restarts >= 0,
        f'pool.max_restarts is {self.max_restarts}, but it must be at least 0.',
    )


Options = Union[
    SuiteOptions,
    BsuiteOptions,
    AtariOptions,
    DmcOptions,
    PopgymOptions,
    GymnasiumOptions,
    Mapping[str, Any],
]


def of_suite(suite: str, given: Optional[Options]) -> Optional[Any]:
  """Returns the options of one suite.

  Args:
    suite: The suite's name.
    given: All suites' options, this suite's dataclass or its fields as a
      mapping, or None for the defaults.

  Returns:
    The suite's dataclass; None for a suite without options.

  Raises:
    schema.ConfigError: `given` is something else, or of another suite.
  """
  defaults = getattr(SuiteOptions(), suite, None)
  if given is None:
    return defaults
  if isinstance(given, SuiteOptions):
    return getattr(given, suite, None)
  if defaults is None:
    raise schema.ConfigError(
        f'the tasks of {suite} have no options, but found {given!r}.'
    )
  if isinstance(given, type(defaults)):
    return given
  if isinstance(given, Mapping):
    return schema.from_mapping(type(defaults), given, suite)
  raise schema.ConfigError(
      f'the tasks of {suite} take {type(defaults).__name__} or a mapping of its'
      f' fields, but found {given!r}.'
  )
