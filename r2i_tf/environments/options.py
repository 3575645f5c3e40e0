"""How tasks are set up, and how environments have processes of their own.

The options of a suite are in its file, with the defaults of the paper (arXiv
2403.04253), which has them from DreamerV3.
"""

from collections.abc import Mapping
import dataclasses
from typing import Any, Optional, Union

from r2i_tf import schema
from r2i_tf.environments import suite as suite_lib
from r2i_tf.environments.suites import atari as atari_lib
from r2i_tf.environments.suites import bsuite as bsuite_lib
from r2i_tf.environments.suites import dmc as dmc_lib
from r2i_tf.environments.suites import gymnasium as gymnasium_lib
from r2i_tf.environments.suites import popgym as popgym_lib

_LONGEST_WAIT = 1e6  # Seconds; the system counts milliseconds in 32 bits.


@dataclasses.dataclass(frozen=True)
class SuiteOptions:
  """The options of every suite that has any; a task takes those of its own.

  Attributes:
    bsuite: Of `bsuite/<experiment>/<setting>`.
    atari: Of `atari/<game>`.
    dmc: Of `dmc/<domain>/<task>`.
    popgym: Of `popgym/<Name>`.
    gymnasium: Of `gymnasium/<id>`.
  """

  bsuite: bsuite_lib.BsuiteOptions = bsuite_lib.BsuiteOptions()
  atari: atari_lib.AtariOptions = atari_lib.AtariOptions()
  dmc: dmc_lib.DmcOptions = dmc_lib.DmcOptions()
  popgym: popgym_lib.PopgymOptions = popgym_lib.PopgymOptions()
  gymnasium: gymnasium_lib.GymnasiumOptions = gymnasium_lib.GymnasiumOptions()


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

  def __post_init__(self) -> None:
    schema.require(
        0 < self.timeout_seconds <= _LONGEST_WAIT,
        f'pool.timeout_seconds is {self.timeout_seconds}, but it must be'
        f' positive and at most {_LONGEST_WAIT:g}.',
    )
    schema.require(
        self.max_restarts >= 0,
        f'pool.max_restarts is {self.max_restarts}, but it must be at least 0.',
    )


# Those of one suite, or of all; or the fields of one suite's.
Options = Union[suite_lib.Options, Mapping[str, Any]]


def of_suite(
    suite: str, given: Optional[Options]
) -> Optional[suite_lib.Options]:
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
