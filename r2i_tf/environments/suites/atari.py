"""The Atari suite: tasks named by the game, such as `ms_pacman`.

It stands on ALE's own interface. The games come with the package ale-py.
"""

import contextlib
import dataclasses
import io
import pathlib
from typing import Any

import dm_env
from dm_env import specs
import numpy as np

from r2i_tf import schema
from r2i_tf.environments import errors
from r2i_tf.environments import images
from r2i_tf.environments import suite

_SEEDS = 2**31


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
      paper: the world model has to reconstruct its observations, and in some
      games colour is all that tells two objects apart.
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

  def __post_init__(self) -> None:
    schema.require_positive(
        self, 'atari', 'action_repeat', 'image_size', 'max_frames'
    )
    schema.require(
        0 <= self.sticky_probability < 1,
        f'atari.sticky_probability is {self.sticky_probability}, but it must'
        ' lie in [0, 1).',
    )
    schema.require(
        self.noops >= 0,
        f'atari.noops is {self.noops}, but it must be at least 0.',
    )


def tasks() -> list[str]:
  """Returns the names of all games, as ALE writes them.

  Raises:
    MissingSuiteError: The files of the games are not there.
  """
  return [name for name in _games() if _is_playable(_rom(name))]


def make(name: str, seed: int, options: AtariOptions) -> dm_env.Environment:
  """Makes the environment of a game.

  Args:
    name: Such as `ms_pacman`.
    seed: The seed of its randomness, from 0 to 2^32 - 1.
    options: The protocol.

  Raises:
    UnknownTaskError: ALE has no such game.
    MissingSuiteError: The file of the game is not there.
  """
  errors.check_task('atari', name, _games())
  rom = _rom(name)
  if not _is_playable(rom):
    raise errors.UnknownTaskError(
        f'atari/{name} is a game that ALE does not play with a single player:'
        ' choose one that r2i-tasks prints.'
    )
  return AtariEnvironment(rom, seed, options)


class AtariEnvironment(dm_env.Environment):
  """A game as the DQN literature plays it.

  The observation is uint8 [image_size, image_size, 3], or 1 in place of 3 if
  gray. The end of the game ends an episode with discount 0, the limit on its
  frames with discount 1.
  """

  def __init__(self, rom: pathlib.Path, seed: int, options: AtariOptions):
    """Loads a game.

    Args:
      rom: The game's file.
      seed: Of the no-op starts and of ALE, from 0.
      options: The protocol.
    """
    import ale_py

    self._options = options
    self._random = np.random.default_rng(seed)
    # Before the first interface is made, which would greet otherwise.
    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
    self._ale = ale_py.ALEInterface()
    self._ale.setInt('random_seed', int(self._random.integers(_SEEDS)))
    self._ale.setFloat('repeat_action_probability', options.sticky_probability)
    self._ale.loadROM(str(rom))
    self._actions = (
        self._ale.getLegalActionSet()
        if options.full_actions
        else self._ale.getMinimalActionSet()
    )
    self._noop = ale_py.Action.NOOP
    channels = () if options.grayscale else (3,)
    shape = (*self._ale.getScreenDims(), *channels)
    # The newest frame and the one before.
    self._frames = [np.zeros(shape, np.uint8) for _ in range(2)]
    self._over = True
    self._goes_on = False

  def reset(self) -> dm_env.TimeStep:
    """Starts an episode, in the same game if only a life was lost."""
    if not self._goes_on:
      self._ale.reset_game()
      for _ in range(self._random.integers(self._options.noops + 1)):
        self._ale.act(self._noop)
        if self._ale.game_over():
          self._ale.reset_game()
      self._capture(alone=True)
    self._over = self._goes_on = False
    return dm_env.restart(self._observation())

  def step(self, action: Any) -> dm_env.TimeStep:
    """Holds an action; after the end of an episode, starts one."""
    if self._over:
      return self.reset()
    lives, reward = self._ale.lives(), 0.0
    last = self._options.action_repeat - 1
    for frame in range(last + 1):
      reward += self._ale.act(self._actions[int(action)])
      terminated, truncated = self._ale.game_over(), self._is_too_long()
      lost = self._options.life_loss_ends and self._ale.lives() < lives
      ended = terminated or truncated or lost
      if ended or frame >= last - 1:
        self._capture(alone=ended and frame < last)
      if ended:
        break
    self._over = ended
    self._goes_on = lost and not (terminated or truncated)
    if terminated or self._goes_on:
      return dm_env.termination(reward, self._observation())
    if truncated:
      return dm_env.truncation(reward, self._observation())
    return dm_env.transition(reward, self._observation())

  def observation_spec(self) -> specs.BoundedArray:
    """Returns the spec of the image."""
    size, channels = self._options.image_size, 3 - 2 * self._options.grayscale
    return specs.BoundedArray(
        [size, size, channels], np.uint8, 0, 255, 'observation'
    )

  def action_spec(self) -> specs.DiscreteArray:
    """Returns the spec of the number of an action."""
    return specs.DiscreteArray(len(self._actions), np.int32, 'action')

  def _is_too_long(self) -> bool:
    return self._ale.getEpisodeFrameNumber() >= self._options.max_frames

  def _capture(self, alone: bool) -> None:
    """Takes the screen as the newest frame; if alone, as both."""
    self._frames.reverse()
    newest, before = self._frames
    if self._options.grayscale:
      self._ale.getScreenGrayscale(newest)
    else:
      self._ale.getScreenRGB(newest)
    if alone:
      np.copyto(before, newest)

  def _observation(self) -> np.ndarray:
    # Sprites flicker: the console renders them in every other frame only.
    image = np.maximum(*self._frames)
    if self._options.grayscale:
      image = image[..., np.newaxis]
    return images.resized(image, self._options.image_size)


def _games() -> list[str]:
  from ale_py import roms

  return sorted(roms.get_all_rom_ids())


def _is_playable(rom: pathlib.Path) -> bool:
  """Returns whether ALE plays a game; it ends the process over the others."""
  import ale_py

  return ale_py.ALEInterface.isSupportedROM(str(rom)) is not None


def _rom(name: str) -> pathlib.Path:
  """Returns the file of a game, or says where it was looked for."""
  from ale_py import roms

  try:
    # ALE prints where it looks if that is another place than its own.
    with contextlib.redirect_stdout(io.StringIO()):
      path = roms.get_rom_path(name)
  except OSError as error:
    reason = str(error).splitlines()[0]
    raise errors.MissingSuiteError(
        f'the file of atari/{name} cannot be used ({reason}): install ale-py'
        ' again, and leave ALE_ROMS_DIR unset unless it has all games.'
    ) from error
  assert path is not None, name  # It is for names that ALE does not have.
  return path


SUITE = suite.Suite(
    name='atari',
    tasks=tasks,
    make=make,
    packages=('ale_py', 'PIL'),
    extra='atari',
)
