"""The agent's configuration: published sizes, fields changed by their names."""

import dataclasses

import pytest

from r2i_tf import config as agent_config
from r2i_tf import schema


@pytest.mark.parametrize(
    'size, output_size, cnn_depth, units, layers',
    [
        ('tiny', 200, 32, 200, 2),
        ('small', 512, 32, 512, 2),
        ('medium', 1024, 48, 640, 3),
        ('large', 2048, 64, 768, 4),
        ('xlarge', 4096, 96, 1024, 5),
    ],
)
def test_sizes_are_the_published_ones(
    size, output_size, cnn_depth, units, layers
):
  """A size is real numbers once it is built, so that a record holds them."""
  config = agent_config.R2IConfig.preset(size)
  model, behavior = config.world_model, config.behavior
  memory = model.sequence_model
  assert (memory.output_size, memory.width) == (output_size, units)
  assert model.cnn_depth == cnn_depth
  mlps = [model.encoder, model.decoder, behavior.actor, behavior.critic]
  mlps += [model.reward_head, model.continuation_head]
  assert mlps == [agent_config.MLPConfig(layers, units)] * 6
  mapping = schema.to_mapping(config)
  assert schema.from_mapping(agent_config.R2IConfig, mapping) == config


def test_a_sized_config_can_be_changed():
  """A size sets its numbers once; what is changed after it stays changed."""
  small = agent_config.R2IConfig.preset('small')
  model = dataclasses.replace(small.world_model, cnn_depth=7)
  changed = dataclasses.replace(small, world_model=model)
  assert changed.world_model.cnn_depth == 7
  assert changed.behavior == small.behavior


def test_fields_change_by_their_dotted_names():
  """Values may be plain or dataclasses; a wrong name or value is refused."""
  config = agent_config.R2IConfig()
  changed = schema.replace(
      config,
      {
          'behavior.actor': agent_config.MLPConfig(1, 2),
          'behavior.policy_input': 'hidden',
          'behavior.critic.units': 3,
      },
  )
  assert changed.behavior == dataclasses.replace(
      config.behavior,
      actor=agent_config.MLPConfig(1, 2),
      policy_input=agent_config.PolicyInput.HIDDEN,
      critic=agent_config.MLPConfig(config.behavior.critic.layers, 3),
  )
  assert changed.world_model == config.world_model
  with pytest.raises(schema.ConfigError, match="did you mean 'behavior.actor'"):
    schema.replace(config, {'behavior.actr': 1})
  with pytest.raises(schema.ConfigError, match='takes an int'):
    schema.replace(config, {'behavior.horizon': 'x'})


@pytest.mark.parametrize(
    'field, value, sentence',
    [
        ('critic_optimizer.adaptive_clip', 0.0, 'must be positive'),
        ('world_model_optimizer.update_clip', 0.0, 'must be positive'),
        ('actor_optimizer.warmup_steps', -1, 'must be at least 0'),
        ('behavior.replay_critic_scale', -0.3, 'must be at least 0'),
        ('world_model.posterior', 'recurent', "did you mean 'recurrent'"),
        ('norm', 'batch', 'layer, rms'),
    ],
)
def test_what_newer_versions_have_is_checked(field, value, sentence):
  """A value that means nothing is answered with what is allowed."""
  with pytest.raises(schema.ConfigError, match=sentence):
    schema.replace(agent_config.R2IConfig(), {field: value})
