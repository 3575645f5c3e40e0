"""The sequence models, one file for each kind."""

from r2i_tf import config as agent_config
from r2i_tf import networks
from r2i_tf.world_model.sequence_models.gru import GRUSequenceModel
from r2i_tf.world_model.sequence_models.interface import Memory
from r2i_tf.world_model.sequence_models.interface import SequenceModel
from r2i_tf.world_model.sequence_models.s3m import S3MSequenceModel
from r2i_tf.world_model.sequence_models.unbroken import UnbrokenSequenceModel

__all__ = ['Memory', 'SequenceModel', 'create']

_CLASSES = {
    agent_config.SequenceModelKind.S3M: S3MSequenceModel,
    agent_config.SequenceModelKind.GRU: GRUSequenceModel,
}


def create(
    config: agent_config.SequenceModelConfig, options: networks.LayerOptions
) -> SequenceModel:
  """Returns the sequence model that `config.kind` names.

  Args:
    config: Its sizes.
    options: Of the layers.
  """
  model = _CLASSES[config.kind](config, options)
  return model if config.resets else UnbrokenSequenceModel(model)
