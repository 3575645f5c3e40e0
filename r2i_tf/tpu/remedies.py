"""Fields of the configuration that make the train step need less memory."""

from typing import Any

from r2i_tf import config as agent_config
from r2i_tf import run_config

_REMATERIALIZE = 'agent.world_model.sequence_model.s3m.rematerialize'
_CNN_DEPTH = 'agent.world_model.cnn_depth'
# Names, those first that change the learning least, to their effects.
REMARKS = {
    _REMATERIALIZE: 'True: compute again what the gradient needs',
    'agent.precision': 'mixed_bfloat16: smaller activations',
    'agent.behavior.starts_per_sequence': 'imagine from fewer of the steps',
    'agent.behavior.horizon': 'imagine fewer steps ahead',
    'replay.batch_size': 'nearly in proportion',
    'replay.sequence_length': 'nearly in proportion; memory ends there',
    _CNN_DEPTH: 'fewer channels of images',
    'agent.world_model.sequence_model.width': 'a smaller model',
}
_SMALLEST = {
    _REMATERIALIZE: (True,),
    'agent.precision': (agent_config.Precision.MIXED_BFLOAT16,),
    'replay.sequence_length': (2,),
}


def fields(
    config: run_config.RunConfig, has_images: bool
) -> tuple[tuple[str, Any], ...]:
  """Returns the fields that would make the train step smaller, with values.

  Args:
    config: The run.
    has_images: Whether a part of the observation is an image.
  """
  kind = config.agent.world_model.sequence_model.kind
  useless = {
      _REMATERIALIZE: kind != agent_config.SequenceModelKind.S3M,
      _CNN_DEPTH: not has_images,
  }
  values = [
      (name, _value(config, name))
      for name in REMARKS
      if not useless.get(name, False)
  ]
  return tuple((n, v) for n, v in values if v not in _SMALLEST.get(n, (1,)))


def _value(config: Any, name: str) -> Any:
  for part in name.split('.'):
    config = getattr(config, part)
  return config
