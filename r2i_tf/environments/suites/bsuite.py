"""The BSuite suite: tasks `<experiment>/<setting>`, such as `memory_len/9`.

A setting is counted from 0 in the sweep that BSuite itself defines for the
experiment; setting 9 of memory_len is a memory of length 10. Nothing is
recorded on disk: BSuite's own loggers are not used.

BSuite ends every episode with discount 0, those at a time limit, too: its
observations hold the time that is left where it matters.

The mnist experiments fetch their data set from the network on first use.
"""

import difflib
import inspect
from typing import Any, Dict, List
import urllib.error

from bsuite import bsuite
from bsuite import sweep
from bsuite.environments import deep_sea
import dm_env

from r2i_tf import schema
from r2i_tf.environments import errors
from r2i_tf.environments import options as options_lib
from r2i_tf.environments import wrappers


def tasks() -> List[str]:
  """Returns every `<experiment>/<setting>`, in the order of BSuite's sweep."""
  return list(sweep.SWEEP)


def make(
    name: str,
    seed: int,
    options: options_lib.BsuiteOptions,
) -> dm_env.Environment:
  """Makes the environment of one setting of one experiment.

  Args:
    name: `<experiment>/<setting>`.
    seed: The seed of whatever is random in the environment, from 0 to 2^32 - 1.
      What defines the task (BSuite's `mapping_seed`, from which deep_sea
      draws its action mapping and bandit its rewards) belongs to the setting.
      bandit, bandit_scale, deep_sea and discounting_chain have no other
      randomness, so there the seed changes nothing.
    options: How its observations are shown.

  Returns:
    The environment.

  Raises:
    UnknownTaskError: BSuite has no such experiment or setting.
    MissingSuiteError: The data set of the mnist experiments is not there.
    schema.ConfigError: The observations cannot be drawn as asked for.
  """
  _check(name)
  environment = _make(name, seed)
  if options.image_size is None:
    return environment
  return _drawn(environment, name, options.image_size)


def _make(name: str, seed: int) -> dm_env.Environment:
  experiment = name.split(sweep.SEPARATOR)[0]
  arguments = dict(sweep.SETTINGS[name])
  if experiment == 'deep_sea_stochastic':
    return _deep_sea_stochastic(arguments, seed)
  constructor = bsuite.EXPERIMENT_NAME_TO_ENVIRONMENT[experiment]
  if 'seed' in inspect.signature(constructor).parameters:
    arguments['seed'] = seed
  try:
    return bsuite.load(experiment, arguments)
  except urllib.error.URLError as error:
    raise errors.MissingSuiteError(
        f'bsuite/{name} needs the MNIST data set, which could not be fetched'
        f' ({error.reason}): put its four files into /tmp/mnist.'
    ) from error


def _deep_sea_stochastic(
    arguments: Dict[str, Any], seed: int
) -> dm_env.Environment:
  """Makes stochastic Deep Sea, whose BSuite loader leaves the wind unseeded."""
  return deep_sea.DeepSea(deterministic=False, seed=seed, **arguments)


def _drawn(
    environment: dm_env.Environment, name: str, size: int
) -> dm_env.Environment:
  """Returns an environment that shows its board as an image."""
  spec = environment.observation_spec()
  # BSuite leaves some of its boards without bounds: the sizes tell them apart
  # from its vectors, which are rows of one.
  schema.require(
      len(spec.shape) == 2 and min(spec.shape) > 1,
      f'bsuite.image_size is {size}, but the observations of bsuite/{name} have'
      f' the shape {list(spec.shape)} and are no board to draw: set'
      ' bsuite.image_size to None.',
  )
  schema.require(
      size >= max(spec.shape),
      f'bsuite.image_size is {size}, but the board of bsuite/{name} has'
      f' {spec.shape[0]} x {spec.shape[1]} fields: set bsuite.image_size to at'
      f' least {max(spec.shape)}.',
  )
  return wrappers.DrawnBoard(environment, size)


def _check(name: str) -> None:
  """Raises `UnknownTaskError` unless `name` is a task, saying what is near."""
  if name in sweep.SETTINGS:
    return
  experiment, _, setting = name.partition(sweep.SEPARATOR)
  experiments = list(bsuite.EXPERIMENT_NAME_TO_ENVIRONMENT)
  if experiment not in experiments:
    near = difflib.get_close_matches(experiment, experiments, n=3)
    hint = (
        f'did you mean {" or ".join(near)}?'
        if near
        else f'choose one of {", ".join(experiments)}.'
    )
    raise errors.UnknownTaskError(
        f'bsuite has no experiment {experiment!r} (task {"bsuite/" + name!r}):'
        f' {hint}'
    )
  count = sum(e.partition(sweep.SEPARATOR)[0] == experiment for e in tasks())
  found = repr(setting) if setting else 'none'
  raise errors.UnknownTaskError(
      f'the settings of bsuite/{experiment} are numbered 0 to {count - 1}, but'
      f' found {found} in task {"bsuite/" + name!r}: write for example'
      f" 'bsuite/{experiment}/{count - 1}'."
  )
