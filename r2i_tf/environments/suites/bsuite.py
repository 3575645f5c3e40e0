"""The BSuite suite: tasks `<experiment>/<setting>`, such as `memory_len/9`.

A setting is counted from 0 in the sweep that BSuite itself defines for the
experiment; setting 9 of memory_len is a memory of length 10. Settings that the
sweep lacks are named by their arguments: `memory_len?memory_length=300`.

Nothing is recorded on disk: BSuite's own loggers are not used. What they would
record, and its scores are computed from, is said of each episode
(`episode_info`).

BSuite ends every episode with discount 0, those at a time limit, too: its
observations hold the time that is left where it matters.

The mnist experiments fetch their data set from the network on first use.
"""

import dataclasses
import inspect
from typing import Any, Optional
import urllib.error

import dm_env

from r2i_tf import errors as base_errors
from r2i_tf import schema
from r2i_tf.environments import errors
from r2i_tf.environments import suite
from r2i_tf.environments import wrappers

# The numbers of an observation, by the beginning of an experiment's name: those
# in front, and what all others are.
_COMPONENTS: dict[str, tuple[tuple[str, ...], str]] = {
    'memory': (('time left', 'question'), 'bit'),
    'umbrella': (('need', 'umbrella', 'time left'), 'distractor'),
    'cartpole_swingup': (
        (
            'position',
            'velocity',
            'sin angle',
            'cos angle',
            'turning',
            'time',
            'near the middle',
        ),
        'turns slowly',
    ),
    'cartpole': (
        ('position', 'velocity', 'sin angle', 'cos angle', 'turning'),
        'time',
    ),
    'mountain_car': (('position', 'velocity'), 'time'),
}


@dataclasses.dataclass(frozen=True)
class BsuiteOptions:
  """Of the tasks `bsuite/<experiment>/<setting>`.

  Attributes:
    image_size: Renders a board of numbers in [0, 1] (catch, deep_sea) as a gray
      image of this height and width: a small task for an agent that learns from
      images. None leaves observations as they are.
  """

  image_size: Optional[int] = None

  def __post_init__(self) -> None:
    if self.image_size is not None:
      schema.require_positive(self, 'bsuite', 'image_size')


def tasks() -> list[str]:
  """Returns every `<experiment>/<setting>`, in the order of BSuite's sweep."""
  from bsuite import sweep

  return list(sweep.SWEEP)


def make(name: str, seed: int, options: BsuiteOptions) -> dm_env.Environment:
  """Makes the environment of one setting of one experiment.

  Args:
    name: `<experiment>/<setting>`, or `<experiment>?<argument>=<value>`.
    seed: The seed of whatever is random in the environment, from 0 to 2^32 - 1.
      The constants of the task (BSuite's `mapping_seed`, from which deep_sea
      draws its action mapping and bandit its rewards) belong to the setting.
      bandit, bandit_scale, deep_sea and discounting_chain have no other
      randomness, so there the seed changes nothing.
    options: Whether its observations are rendered.

  Returns:
    The environment.

  Raises:
    UnknownTaskError: BSuite has no such experiment or setting.
    MissingSuiteError: The data set of the mnist experiments is not there.
    schema.ConfigError: The experiment has no such argument, or the observations
      cannot be rendered as asked for.
  """
  _check(name)
  environment: dm_env.Environment = _Accounted(_make(name, seed))
  if options.image_size is None:
    return environment
  with wrappers.closed_on_error(environment):
    return _rendered(environment, name, options.image_size)


def component_names(name: str, count: int) -> Optional[list[str]]:
  """Returns what the numbers of an observation are, where that is known.

  Args:
    name: As for `make`.
    count: How many they are.
  """
  experiment = _experiment(name).partition('?')[0]
  # Noisy and scaled variants end in another word.
  for start, (names, others) in _COMPONENTS.items():
    if experiment.startswith(start):
      rest = count - len(names)
      numbered = [f'{others} {number}' for number in range(rest)]
      return [*names, *([others] if rest == 1 else numbered)]
  return None


class _Accounted(wrappers.Wrapper):
  """Says of each episode by how much it has raised BSuite's own counts."""

  def __init__(self, environment: dm_env.Environment):
    """Wraps an environment of BSuite."""
    super().__init__(environment)
    self._before = self._counts()
    self._info: dict[str, float] = {}

  def step(self, action: Any) -> dm_env.TimeStep:
    """Takes a step; after the end of an episode, starts one."""
    time_step = self._environment.step(action)
    if time_step.last():
      counts = self._counts()
      self._info = {
          name: count - self._before[name] for name, count in counts.items()
      }
      self._before = counts
    return time_step

  def episode_info(self) -> dict[str, float]:
    """Returns the differences that the last whole episode has made."""
    return self._info

  def _counts(self) -> dict[str, float]:
    return {
        name: float(count)
        for name, count in self._environment.bsuite_info().items()
    }


def _make(name: str, seed: int) -> dm_env.Environment:
  from bsuite import bsuite
  from bsuite import sweep
  from bsuite.environments import deep_sea

  experiment, arguments = suite.parse_keywords('bsuite', name)
  if '?' not in name:
    experiment, arguments = _experiment(name), dict(sweep.SETTINGS[name])
  constructor = bsuite.EXPERIMENT_NAME_TO_ENVIRONMENT[experiment]
  if experiment == 'deep_sea_stochastic':
    # BSuite's own constructor of it leaves the wind unseeded.
    constructor = deep_sea.DeepSea
  parameters = dict(inspect.signature(constructor).parameters)
  if experiment == 'deep_sea_stochastic':
    del parameters['deterministic']
  for argument in arguments:
    schema.require(
        argument in parameters,
        f'{experiment} of BSuite has no argument {argument!r}:'
        f' {base_errors.did_you_mean(argument, parameters)}',
    )
  if 'seed' in parameters:
    arguments['seed'] = seed
  try:
    if experiment == 'deep_sea_stochastic':
      return constructor(deterministic=False, **arguments)
    return bsuite.load(experiment, arguments)
  except TypeError as error:
    raise schema.ConfigError(
        f'{experiment} of BSuite cannot be made with {arguments}:'
        f' {base_errors.first_line(error)}.'
    ) from error
  except urllib.error.URLError as error:
    raise errors.MissingSuiteError(
        f'bsuite/{name} needs the MNIST data set, which could not be fetched'
        f' ({error.reason}): put its four files into /tmp/mnist.'
    ) from error


def _rendered(
    environment: dm_env.Environment, name: str, size: int
) -> dm_env.Environment:
  """Returns an environment that shows its board as an image."""
  spec = environment.observation_spec()
  # BSuite leaves some of its boards without bounds: the sizes tell them apart
  # from its vectors, which are rows of one.
  schema.require(
      len(spec.shape) == 2 and min(spec.shape) > 1,
      f'bsuite.image_size is {size}, but the observations of bsuite/{name} have'
      f' the shape {list(spec.shape)} and are no board to render: set'
      ' bsuite.image_size to None.',
  )
  schema.require(
      size >= max(spec.shape),
      f'bsuite.image_size is {size}, but the board of bsuite/{name} has'
      f' {spec.shape[0]} x {spec.shape[1]} fields: set bsuite.image_size to at'
      f' least {max(spec.shape)}.',
  )
  return wrappers.RenderedBoard(environment, size)


def _check(name: str) -> None:
  """Raises `UnknownTaskError`, with names alike, unless `name` is a task."""
  names = tasks()
  experiments = [_experiment(other) for other in names]
  if name in names or ('?' in name and name.partition('?')[0] in experiments):
    return
  experiment, _, setting = name.partition('/')
  experiment = experiment.partition('?')[0]
  count = experiments.count(experiment)
  if not count:
    hint = base_errors.did_you_mean(experiment, dict.fromkeys(experiments))
    raise errors.UnknownTaskError(
        f'bsuite has no experiment {experiment!r} (task {"bsuite/" + name!r};'
        f' r2i-tasks prints all): {hint}'
    )
  found = repr(setting) if setting else 'none'
  raise errors.UnknownTaskError(
      f'the settings of bsuite/{experiment} are numbered 0 to {count - 1}, but'
      f' found {found} in task {"bsuite/" + name!r}: write for example'
      f" 'bsuite/{experiment}/{count - 1}'."
  )


def _experiment(name: str) -> str:
  return name.partition('/')[0]


SUITE = suite.Suite(
    name='bsuite',
    tasks=tasks,
    make=make,
    packages=('bsuite',),
    extra='bsuite',
    pythons=(9, 13),
    component_names=component_names,
)
