"""What an evaluation keeps of its first episodes, to draw them afterwards.

It only looks on: it draws no random number, and asks the policy for nothing but
what it thinks of the steps that it has taken (the signature `assess`).
"""

from collections.abc import Callable
from collections.abc import Iterator
import contextlib
from typing import Any, NamedTuple, Optional

import numpy as np
import tensorflow as tf
from tf_agents.trajectories import time_step as ts
import tree

from r2i_tf import errors
from r2i_tf import specs
from r2i_tf.training import signatures

IMAGES, VECTORS = 100, 1_000  # As many steps of an episode are kept at most.
NUMBERS = 128  # As many of a step's numbers.
_TOGETHER = 64  # Steps that are assessed in one call.
Assess = Callable[..., dict[str, tf.Tensor]]


class Seen(NamedTuple):
  """An episode of T steps, as arrays.

  Attributes:
    actions: What the environment was given, T of them.
    rewards: float64 [T].
    thoughts: float32 [T] each: `value` and `entropy`, or nothing.
    image_steps: int [N], when there is an image.
    images: uint8 [N, H, W, C], C of 1 or 3; None where nothing is an image.
    vector_steps: int [M], when there are numbers.
    vectors: float [M, D], D up to `NUMBERS`.
    names: The keys of these numbers.
    cut: Whether the episode was cut.
  """

  actions: list[Any]
  rewards: np.ndarray
  thoughts: dict[str, np.ndarray]
  image_steps: np.ndarray
  images: Optional[np.ndarray]
  vector_steps: np.ndarray
  vectors: np.ndarray
  names: list[str]
  cut: bool


class Watch:
  """Keeps the first episodes of one environment.

  Where that fails, it says so and keeps no more.

  Attributes:
    episodes: Those that are over.
  """

  def __init__(
      self, count: int, assess: Optional[Assess], note: Callable[[str], None]
  ):
    """Keeps nothing yet.

    Args:
      count: How many episodes to keep.
      assess: The signature of the policy; None for one that has none.
      note: Shows a line.
    """
    self.episodes: list[Seen] = []
    self._left = count
    self._assess = assess
    self._note = note
    self._episode: Optional[_Episode] = None

  def begin(self, time_step: ts.TimeStep) -> None:
    """Sees the first step of an episode.

    Args:
      time_step: Without a batch dimension, as in all that follows.
    """
    if self._left:
      with self._told():
        self._episode = _Episode(time_step.observation, self._assess)

  def step(
      self, action: Any, time_step: ts.TimeStep, before: Any, after: Any
  ) -> None:
    """Sees a step that was taken.

    Args:
      action: What the environment was given.
      time_step: What came of it.
      before: The state of the policy before it chose, of the whole batch; the
        first in it is this environment's.
      after: Its state then.
    """
    if self._episode is not None:
      with self._told():
        self._episode.step(action, time_step, before, after)

  def end(self, cut: bool) -> None:
    """Sees that the episode is over.

    Args:
      cut: Whether it would have gone on.
    """
    if self._episode is not None:
      with self._told():
        self.episodes.append(self._episode.seen(cut))
        self._episode, self._left = None, self._left - 1

  @contextlib.contextmanager
  def _told(self) -> Iterator[None]:
    """Returns a context in which what fails ends no evaluation."""
    try:
      yield
    except Exception as error:  # Observations and policies may be anyone's.
      self._episode, self._left = None, 0
      self._note(f'an episode was not kept to draw: {errors.first_line(error)}')


class _Episode:
  """An episode that is going on."""

  def __init__(self, observation: Any, assess: Optional[Assess]):
    self._assess = assess
    self._actions: list[Any] = []
    self._rewards: list[float] = []
    self._images, self._vectors = _Thinned(IMAGES), _Thinned(VECTORS)
    self._waiting: list[tuple[bool, Any, Any]] = []
    self._thoughts: dict[str, list[np.ndarray]] = {}
    self._names = _names(observation)
    self._keep(observation)

  def step(
      self, action: Any, time_step: ts.TimeStep, before: Any, after: Any
  ) -> None:
    if self._assess is not None:
      self._waiting.append((not self._actions, _first(before), _first(after)))
      if len(self._waiting) == _TOGETHER:
        self._think()
    self._actions.append(action)
    self._rewards.append(float(time_step.reward))
    self._keep(time_step.observation)

  def seen(self, cut: bool) -> Seen:
    self._think()
    image_steps, images = self._images.kept()
    vector_steps, vectors = self._vectors.kept()
    return Seen(
        actions=self._actions,
        rewards=np.array(self._rewards),
        thoughts={
            name: np.concatenate(values)
            for name, values in self._thoughts.items()
        },
        image_steps=image_steps,
        images=None if images[0] is None else np.stack(images),
        vector_steps=vector_steps,
        vectors=np.stack(vectors),
        names=self._names,
        cut=cut,
    )

  def _keep(self, observation: Any) -> None:
    self._images.add(lambda: _image(observation))
    self._vectors.add(lambda: _numbers(observation))

  def _think(self) -> None:
    """Has the steps assessed that wait for it."""
    if not self._waiting or self._assess is None:
      return
    is_first, before, after = zip(*self._waiting)
    self._waiting = []
    together = [
        tf.nest.map_structure(lambda *leaves: np.stack(leaves), *states)
        for states in (before, after)
    ]
    thoughts = self._assess(
        **signatures.assessing_inputs(np.array(is_first), *together)
    )
    for name, values in thoughts.items():
      self._thoughts.setdefault(name, []).append(values.numpy())


class _Thinned:
  """Values of every n-th step, n growing so that they are never too many."""

  def __init__(self, most: int):
    self._most, self._every, self._count = most, 1, 0
    self._values: list[Any] = []
    self._last: Any = None

  def add(self, make: Callable[[], Any]) -> None:
    """Takes the value of the next step; it is made if it is kept."""
    # The last one is always kept, and which that is, one knows afterwards.
    self._last = make
    if self._count % self._every == 0:
      if len(self._values) == self._most - 1:
        self._values, self._every = self._values[::2], 2 * self._every
      if self._count % self._every == 0:
        self._values.append(make())
    self._count += 1

  def kept(self) -> tuple[np.ndarray, list[Any]]:
    """Returns the steps and the values that are left."""
    steps = list(range(0, self._count, self._every))
    values = list(self._values)
    if steps[-1] != self._count - 1:
      steps.append(self._count - 1)
      values.append(self._last())
    return np.array(steps), values


def _first(state: Any) -> Any:
  """Returns the part of a policy's state that the first environment has."""
  return tf.nest.map_structure(lambda leaf: np.asarray(leaf)[0], state)


def _leaves(observation: Any, images: bool) -> list[tuple[str, np.ndarray]]:
  """Returns the keys and arrays that are images, or those that are none."""
  leaves = [
      (specs.key_of(path), np.asarray(leaf))
      for path, leaf in tree.flatten_with_path(observation)
  ]
  return [
      (key, leaf)
      for key, leaf in leaves
      if specs.is_image(leaf.shape, leaf.dtype) == images
  ]


def _image(observation: Any) -> Optional[np.ndarray]:
  """Returns the images of an observation side by side, None without any."""
  images = [_in_colors(leaf) for _, leaf in _leaves(observation, images=True)]
  if not images:
    return None
  if any(image.shape[-1] == 3 for image in images):
    images = [np.repeat(i, 3 // i.shape[-1], axis=-1) for i in images]
  height = max(image.shape[0] for image in images)
  return np.concatenate(
      [
          np.pad(image, [(0, height - image.shape[0]), (0, 0), (0, 0)])
          for image in images
      ],
      axis=1,
  )


def _in_colors(image: np.ndarray) -> np.ndarray:
  """Returns the newest image of a stack, in colours or gray."""
  channels = image.shape[-1]
  return image[..., -3:] if channels % 3 == 0 else image[..., -1:]


def _numbers(observation: Any) -> np.ndarray:
  """Returns the numbers of an observation that are no image, float64 [D]."""
  leaves = [
      np.ravel(leaf).astype(np.float64)
      for _, leaf in _leaves(observation, images=False)
  ]
  return np.concatenate([np.zeros([0]), *leaves])[:NUMBERS]


def _names(observation: Any) -> list[str]:
  """Returns the key of each of these numbers, with its place."""
  names = []
  for key, leaf in _leaves(observation, images=False):
    name = key or 'observation'
    numbered = [f'{name}[{place}]' for place in range(leaf.size)]
    names.extend(numbered if leaf.size > 1 else [name])
  return names[:NUMBERS]
