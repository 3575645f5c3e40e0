"""The flag --preset, of benchmarks whose agent may have any of its sizes."""

from absl import flags

_DEBUG = 'debug'

PRESET = flags.DEFINE_enum(
    'preset',
    None,
    [_DEBUG, 'tiny', 'small', 'medium', 'large', 'xlarge'],
    'A size, as `R2IConfig.preset` takes it.',
)


def preset() -> str:
  """Returns the size that is asked for, or that of two cores."""
  return PRESET.value or _DEBUG
