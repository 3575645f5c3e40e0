"""Pictures of the episodes of an evaluation, beside its policy.

  episodes/episodes.json   which there are, and of what
  episodes/episode_1.gif   the first one, and so on
  episodes/episode_1.png   its last image, or its chart

An episode is drawn after it is over. Where its observations are no images, but
the task can be rendered, another environment of the same seed is given the same
actions, and rendered; so rendering changes nothing that was scored, and a
failure of it costs no more than the images.
"""

from collections.abc import Callable
from collections.abc import Sequence
import contextlib
import os
import pathlib
import shutil
from typing import Any, NamedTuple, Optional

import numpy as np

from r2i_tf import environments
from r2i_tf import errors
from r2i_tf import files
from r2i_tf.environments import options as options_lib
from r2i_tf.pictures import animation
from r2i_tf.pictures import episodes as pictures
from r2i_tf.training import watching

DIRECTORY = 'episodes'
INDEX_FILE = 'episodes.json'
_CURVES = {'value': 'value (expected return)', 'entropy': 'entropy (nats)'}


class Played(NamedTuple):
  """What the episodes were played in.

  Attributes:
    task: Its name.
    seed: Of the environment.
    options: How it was set up.
  """

  task: str
  seed: int
  options: options_lib.SuiteOptions


class _NotRepeated(Exception):
  """The same actions have given other rewards."""


def draw(
    policy_directory: pathlib.Path,
    played: Played,
    seen: Sequence[watching.Seen],
    stop: Callable[[], bool],
    note: Callable[[str], None],
) -> None:
  """Draws episodes; where that fails, it says so, and that is all.

  Args:
    policy_directory: The policy's; its directory `episodes` is replaced.
    played: The task.
    seen: The episodes, in the order in which the environment had them.
    stop: Asked between steps that are rendered; true gives up.
    note: Shows a line.
  """
  unfinished = policy_directory / f'.{DIRECTORY}.{os.getpid()}'
  try:
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    index = _draw(unfinished, played, seen, stop, note)
    if index is not None:
      files.write_json(unfinished / INDEX_FILE, index)
      files.replace_directory(unfinished, policy_directory / DIRECTORY)
  except Exception as error:  # Of whatever kind: the scores are what counts.
    note(f'the episodes were not drawn: {errors.first_line(error)}')
  finally:
    shutil.rmtree(unfinished, ignore_errors=True)


def _draw(
    directory: pathlib.Path,
    played: Played,
    seen: Sequence[watching.Seen],
    stop: Callable[[], bool],
    note: Callable[[str], None],
) -> Optional[dict[str, Any]]:
  """Writes the pictures; returns what the index says, None if it gave up."""
  images = [
      None
      if episode.images is None
      else animation.Images(episode.image_steps, episode.images)
      for episode in seen
  ]
  if not any(images):
    images = _rendered(played, seen, stop, note)
  described = []
  for number, (episode, shown) in enumerate(zip(seen, images), 1):
    if stop():
      return None
    described.append(
        {
            'seed': played.seed,
            'return': float(episode.rewards.sum()),
            'steps': len(episode.rewards),
            **_picture(directory, played.task, number, episode, shown),
            'cut': episode.cut,
        }
    )
  return {'task': played.task, 'episodes': described}


def _picture(
    directory: pathlib.Path,
    task: str,
    number: int,
    seen: watching.Seen,
    images: Optional[animation.Images],
) -> dict[str, Any]:
  """Draws an episode; returns what the index says of its picture."""
  episode = pictures.Episode(
      f'{task}, episode {number}',
      seen.rewards,
      np.stack([np.ravel(action) for action in seen.actions]),
      {_CURVES.get(name, name): it for name, it in seen.thoughts.items()},
      seen.cut,
  )
  still = directory / f'episode_{number}.png'
  if images is not None:
    moving = still.with_suffix('.gif')
    made = animation.animate(episode, images, moving, still)
    return {
        'kind': 'animation',
        'file': moving.name,
        'still': still.name,
        **made._asdict(),
    }
  names = environments.component_names(task, seen.vectors.shape[1])
  pictures.chart(
      episode,
      pictures.Observations(
          seen.vector_steps, seen.vectors, names or seen.names
      ),
      still,
  )
  return {'kind': 'chart', 'file': still.name, 'still': still.name}


def _rendered(
    played: Played,
    seen: Sequence[watching.Seen],
    stop: Callable[[], bool],
    note: Callable[[str], None],
) -> list[Optional[animation.Images]]:
  """Returns images of the episodes, as far as there are any."""
  found: list[Optional[animation.Images]] = []
  try:
    environment = environments.load_drawn(*played)
    if environment is not None:
      with contextlib.closing(environment):
        for episode in seen:
          if stop():
            break
          found.append(_repeated(environment, episode))
  except _NotRepeated:
    note(
        f'a chart in place of images: {played.task} does not repeat an episode'
        ' for its seed and actions'
    )
  except Exception as error:  # Renderers fail in ways of their own.
    reason = errors.first_line(error)
    note(f'a chart in place of images of {played.task}: {reason}')
  return found + [None] * (len(seen) - len(found))


def _repeated(environment: Any, episode: watching.Seen) -> animation.Images:
  """Plays an episode again and returns images of it."""
  every = animation.stride(len(episode.actions))
  steps, images = [0], []
  environment.reset()
  images.append(_image(environment))
  for step, action in enumerate(episode.actions, 1):
    time_step = environment.step(action)
    if np.float32(time_step.reward) != np.float32(episode.rewards[step - 1]):
      raise _NotRepeated
    if step % every == 0 or step == len(episode.actions):
      steps.append(step)
      images.append(_image(environment))
  return animation.Images(np.array(steps), np.stack(images))


def _image(environment: Any) -> np.ndarray:
  image = environment.render()
  if image.dtype != np.uint8 or image.ndim != 3 or image.shape[-1] != 3:
    raise ValueError(
        f'what it renders is {image.dtype} {list(image.shape)}, not uint8'
        ' [height, width, 3]'
    )
  return image
