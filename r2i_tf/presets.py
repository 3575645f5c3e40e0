"""Named recipes, as data: the changes of each in the defaults, field by field.

The defaults themselves, in `config` and `run_config`, are the column Default of
the paper (arXiv 2403.04253). A recipe maps dotted names of fields to values:

  AGENTS   model sizes, and a small model: `R2IConfig.preset('small')`
  RUNS     domains of the paper, and small runs: `RunConfig.preset('bsuite')`

docs/presets.md has the numbers of the domains beside the published ones.
"""

from collections.abc import Mapping
from typing import Any

Changes = Mapping[str, Any]


def _mlps(layers: int, units: int, *names: str) -> Changes:
  """Sizes MLPs alike."""
  return {name: {'layers': layers, 'units': units} for name in names}


def _heads(layers: int, units: int) -> Changes:
  """Sizes both heads of the world model, the actor and the critic."""
  return _mlps(
      layers,
      units,
      'world_model.reward_head',
      'world_model.continuation_head',
      'behavior.actor',
      'behavior.critic',
  )


def _coders(layers: int, units: int) -> Changes:
  """Sizes the MLPs of encoder and decoder, which are those of vectors."""
  return _mlps(layers, units, 'world_model.encoder', 'world_model.decoder')


def _size(deter: int, cnn_depth: int, units: int, layers: int) -> Changes:
  return {
      'world_model.sequence_model.output_size': deter,
      'world_model.sequence_model.width': units,
      'world_model.cnn_depth': cnn_depth,
      **_coders(layers, units),
      **_heads(layers, units),
  }


def _of_agent(changes: Changes) -> Changes:
  """Returns an agent's changes as those of a run."""
  return {f'agent.{name}': value for name, value in changes.items()}


# Agents ----------------------------------------------------------------------

# The model sizes of DreamerV3, which R2I takes over: deter (h), CNN depth, MLP
# units, MLP layers. They change nothing else.
SIZES: Mapping[str, Changes] = {
    'tiny': _size(200, 32, 200, 2),
    'small': _size(512, 32, 512, 2),
    'medium': _size(1024, 48, 640, 3),
    'large': _size(2048, 64, 768, 4),
    'xlarge': _size(4096, 96, 1024, 5),
}

# A model for two cores. The differences to the published recipe, beside sizes:
_DEBUG_AGENT: Changes = {
    **_size(64, 4, 64, 2),
    'world_model.sequence_model.s3m.state_size': 64,
    'world_model.sequence_model.s3m.layers': 2,
    'world_model.sequence_model.s3m.blocks': 4,
    # One input moves a state by its step size; the published range, from 0.001
    # on, hardly notices what is shown once.
    'world_model.sequence_model.s3m.min_step': 0.005,
    'world_model.sequence_model.s3m.max_step': 0.2,
    # Latents that carry nothing are noise on the memory's input.
    'world_model.latent.groups': 2,
    'world_model.latent.classes': 4,
    # Larger learning rates, as small models bear.
    'world_model.sequence_model.s3m.learning_rate': 3e-3,
    'world_model_optimizer.learning_rate': 3e-3,
    'actor_optimizer.learning_rate': 3e-4,
    'critic_optimizer.learning_rate': 3e-4,
    # Short imagination from a few starts.
    'behavior.horizon': 5,
    'behavior.starts_per_sequence': 8,
    # Three times the published scale. At less, the policy of one seed in three
    # was certain of an action before the world model knew what is paid for
    # (docs/learning.md).
    'behavior.entropy_scale': 1e-3,
    'precision': 'float32',  # A CPU is slower at bfloat16.
}

AGENTS: Mapping[str, Changes] = {**SIZES, 'debug': _DEBUG_AGENT}

# The domains of the paper ----------------------------------------------------

_SMALL_MODEL: Changes = {
    'world_model.sequence_model.output_size': 512,
    'world_model.sequence_model.width': 512,
    'world_model.cnn_depth': 32,
    **_heads(layers=2, units=512),
}

_BSUITE: Changes = {
    'task': 'bsuite/memory_len/0',
    'steps': 5_000_000,
    'parallel_environments': 1,
    'prefill': 4_096,  # One batch, 16 x 256.
    'train_ratio': 1024.0,
    'replay.capacity': 5_000_000,
    'replay.batch_size': 16,
    'replay.sequence_length': 256,
    **_of_agent(
        {
            **_SMALL_MODEL,
            'precision': 'float32',
            'world_model.sequence_model.s3m.layers': 3,
            'world_model.sequence_model.s3m.discretization': 'zoh',
            'world_model.sequence_model.learned_initial_state': False,
            'behavior.policy_input': 'hidden',
        }
    ),
}

_POPGYM: Changes = {
    'task': 'popgym/RepeatPreviousEasy',
    'steps': 200_000_000,
    'parallel_environments': 8,
    'prefill': 8_192,  # A sequence of 1024 from each environment.
    'train_ratio': 64.0,
    **_of_agent(
        {
            **_SMALL_MODEL,
            'world_model.sequence_model.output_size': 1024,
            'world_model.sequence_model.s3m.layers': 3,
            **_coders(layers=1, units=512),
            'behavior.policy_input': 'hidden',
        }
    ),
}

_MEMORY_MAZE: Changes = {
    'task': 'memory_maze/9x9',
    'steps': 400_000_000,
    'parallel_environments': 40,
    'environment_processes': True,
    'prefill': 40_960,  # A sequence of 1024 from each environment.
    'train_ratio': 64.0,
    # 123 GB of images; the published replay is on disk, too.
    'replay.kind': 'disk',
    **_of_agent(
        {
            'world_model.sequence_model.output_size': 2048,
            'world_model.sequence_model.width': 1024,
            'world_model.sequence_model.s3m.state_size': 512,
            'world_model.sequence_model.s3m.layers': 5,
            'world_model.cnn_depth': 48,
            **_coders(layers=4, units=400),  # Of vectors, which it has none of.
            **_heads(layers=4, units=1024),
            'world_model.dynamics_scale': 0.8,
            'world_model.representation_scale': 0.2,
            'behavior.entropy_scale': 1e-3,
            'world_model_optimizer.learning_rate': 3e-4,
            'world_model_optimizer.clip_norm': 200.0,
            'world_model_optimizer.weight_decay': 1e-2,
            'world_model.sequence_model.s3m.learning_rate': 3e-4,
            'actor_optimizer.learning_rate': 1e-4,
            'actor_optimizer.clip_norm': 200.0,
            'critic_optimizer.learning_rate': 1e-4,
        }
    ),
}

_ATARI100K: Changes = {
    'task': 'atari/pong',
    'steps': 100_000,
    'environment.atari.action_repeat': 4,
    'environment.atari.sticky_probability': 0.0,
    'environment.atari.noops': 30,
    'environment.atari.image_size': 64,
    'environment.atari.grayscale': False,
    'environment.atari.full_actions': False,
    'environment.atari.life_loss_ends': False,
    'parallel_environments': 1,
    'train_ratio': 1024.0,
    # All of the run and the steps between its episodes. The replay takes its
    # memory at the start: images for the published 1e7 steps are 123 GB.
    'replay.capacity': 110_000,
    **_of_agent(
        {
            **_SMALL_MODEL,
            'precision': 'float32',
            'behavior.policy_input': 'output',
        }
    ),
}

_DMC_PROPRIO: Changes = {
    'task': 'dmc/walker/walk',
    'steps': 500_000,
    'environment.dmc.observations': 'proprio',
    'environment.dmc.action_repeat': 2,
    'train_ratio': 512.0,
    **_of_agent(
        {
            **_SMALL_MODEL,
            **_coders(layers=5, units=512),
            'behavior.policy_input': 'output',
        }
    ),
}

_DMC_VISION: Changes = {
    'task': 'dmc/walker/walk',
    'steps': 1_000_000,
    'environment.dmc.observations': 'vision',
    'environment.dmc.action_repeat': 2,
    'environment.dmc.image_size': 64,
    'environment_processes': True,
    'train_ratio': 512.0,
    # All of the run and the steps between its episodes. The replay takes its
    # memory at the start: images for the published 1e7 steps are 123 GB.
    'replay.capacity': 1_010_000,
    **_of_agent({**_SMALL_MODEL, 'behavior.policy_input': 'output'}),
}

# Runs for two cores ----------------------------------------------------------

_DEBUG_RUN: Changes = {
    'parallel_environments': 4,
    'environment_processes': False,
    'prefill': 2_048,
    'train_ratio': 64.0,
    'replay.kind': 'memory',
    'replay.capacity': 100_000,
    'replay.batch_size': 16,
    'replay.sequence_length': 64,
    'evaluation_episodes': 10,
    **_of_agent(_DEBUG_AGENT),
}

# Where something moves, values are sums of many rewards, and have a long way to
# go (docs/learning.md).
_MOVING: Changes = {
    'agent.world_model_optimizer.learning_rate': 1e-3,
    'agent.world_model.sequence_model.s3m.learning_rate': 1e-3,
    'agent.critic_optimizer.learning_rate': 1e-3,
}

_IMAGES: Changes = {
    **_MOVING,
    'agent.world_model.sequence_model.s3m.min_step': 0.01,
    'agent.world_model.sequence_model.s3m.max_step': 0.5,
    'train_ratio': 32.0,
    'replay.batch_size': 8,
    'replay.sequence_length': 32,
    'replay.capacity': 20_000,
    'agent.world_model.latent.groups': 8,
    'agent.world_model.latent.classes': 8,
    'agent.world_model.cnn_depth': 8,
    'agent.world_model_optimizer.learning_rate': 2e-3,
    'agent.world_model.sequence_model.s3m.learning_rate': 2e-3,
    'agent.behavior.horizon': 10,
    # The actor does not wait for the world model to see what moves: at 3e-4 it
    # had settled on one action by then.
    'agent.behavior.entropy_scale': 3e-3,
}

# A deck of cards, of which those of a few steps back are asked for.
_CARDS: Changes = {
    'parallel_environments': 16,
    'prefill': 4_096,
    'agent.world_model.sequence_model.s3m.min_step': 0.05,
    'agent.world_model.sequence_model.s3m.max_step': 0.5,
    # No card can be predicted, and a suit is worth 1.39 nats: with one nat
    # free, latents forget a part of what they see.
    'agent.world_model.dynamics_free_nats': 2.0,
    'agent.world_model.representation_free_nats': 2.0,
    # A right answer pays 1/48. Bins that lie closer than the published ones
    # tell it from a wrong one with more of their weight.
    'agent.world_model.bins': 511,
    # As measured; the debug model's own scale was not tried here.
    'agent.behavior.entropy_scale': 3e-5,
}

# A pole to be held up, from vectors.
_POLE: Changes = {
    **_MOVING,
    'task': 'dmc/cartpole/balance',
    'replay.batch_size': 8,
    # An episode has 500 steps and a sequence 64. States that outlast sequences
    # are never trained as they are when the policy acts (docs/results.md).
    'agent.world_model.sequence_model.s3m.min_step': 0.05,
    'agent.world_model.sequence_model.s3m.max_step': 2.0,
    'agent.world_model.latent.groups': 16,
    'agent.world_model.latent.classes': 8,
    # Of vectors that can be foreseen the KL is below one nat, the published
    # number: nothing would teach the dynamics.
    'agent.world_model.dynamics_free_nats': 0.1,
    'agent.behavior.policy_input': 'output',
    'agent.behavior.horizon': 15,
    # Of a return of a hundred, as here, little is left after normalisation
    # that would keep a policy from being certain too soon.
    'agent.behavior.entropy_scale': 1e-3,
    # As it was learned with; no other was tried.
    'agent.behavior.discount': 0.985,
}


def _debug(published: Changes, changes: Changes) -> Changes:
  """Returns a domain's run for two cores: its task, the debug model."""
  kept = {k: v for k, v in published.items() if not k.startswith('agent.')}
  return {**kept, **_DEBUG_RUN, **changes}


def _variants(published: Changes, debug: Changes) -> Mapping[str, Changes]:
  """Returns the variants of a domain, the published one first."""
  return {
      '': published,
      'debug': _debug(published, debug),
      **{
          name: {**published, **_of_agent(size)} for name, size in SIZES.items()
      },
  }


def _learning(changes: Changes) -> Changes:
  """Returns a run of at most 90 minutes that is to learn its task."""
  return {
      **_DEBUG_RUN,
      'steps': 10_000_000,
      'max_minutes': 90.0,
      'replay.capacity': 200_000,
      'evaluation_episodes': 100,
      **changes,
  }


# See one bit, act on it a hundred steps later: BSuite's memory_len at its
# greatest setting, memory_length 100.
_QUICKSTART: Changes = {
    'task': 'bsuite/memory_len/22',
    'steps': 150_000,
    'parallel_environments': 8,
    'prefill': 4_096,
    'train_ratio': 256.0,
    'replay.capacity': 100_000,
    'replay.batch_size': 8,
    'replay.sequence_length': 256,
    'stop_at_return': 0.95,
    **_of_agent(_DEBUG_AGENT),
    # Two settings for a reward that comes once in an episode, for what its
    # first step has shown (docs/learning.md). A sequence from the middle has an
    # end that nothing in it explains, which the model learns by heart.
    'replay.episode_starts': 1.0,
    # Of 8 starts too few lie before an end, and a policy that is right in 98%
    # of the episodes slips back to 90%.
    'agent.behavior.starts_per_sequence': 32,
    # What is learned stays learned: without it a gradient of thirty times the
    # usual size threw three runs of eight back (docs/learning.md).
    'agent.world_model_optimizer.update_clip': 1.0,
}

# Runs by name and variant; '' is the variant of a name alone.
RUNS: Mapping[str, Mapping[str, Changes]] = {
    'quickstart': {'': _QUICKSTART},
    'bsuite': _variants(
        _BSUITE,
        {
            'steps': 20_000,
            'parallel_environments': 8,
            'evaluation_episodes': 100,
        },
    ),
    'popgym': _variants(_POPGYM, {'steps': 40_000, **_CARDS}),
    'memory_maze': _variants(
        _MEMORY_MAZE,
        {
            'steps': 4_000,  # Of which a pool renders about fifty a second.
            'environment_processes': True,
            **_IMAGES,
            'evaluation_episodes': 1,
        },
    ),
    'atari100k': _variants(
        _ATARI100K,
        {'steps': 5_000, **_IMAGES, 'evaluation_episodes': 2},
    ),
    'dmc_proprio': _variants(_DMC_PROPRIO, {'steps': 20_000, **_POLE}),
    'dmc_vision': _variants(
        _DMC_VISION,
        {
            'task': 'dmc/cartpole/balance',
            'steps': 5_000,  # Of which a pool renders about sixty a second.
            'environment_processes': True,
            **_IMAGES,
            'agent.behavior.policy_input': 'output',
            'evaluation_episodes': 2,
        },
    ),
    # What each of these learns, and what it needed, is in docs/learning.md.
    'learning': {
        # POPGym: name the suit of the card of four steps ago.
        'repeat_previous': _learning(
            {
                'task': 'popgym/RepeatPreviousEasy',
                'stop_at_return': 0.95,
                **_CARDS,
            }
        ),
        # DeepMind Control from vectors: continuous actions.
        'cartpole_balance': _learning({'evaluation_episodes': 10, **_POLE}),
        # BSuite: catch a ball, seen as an image of 32 x 32 pixels.
        'catch_images': _learning(
            {
                'task': 'bsuite/catch/0',
                'environment.bsuite.image_size': 32,
                'parallel_environments': 8,
                'prefill': 1_024,
                'stop_at_return': 0.95,
                **_IMAGES,
                'replay.capacity': 200_000,  # Of 1 kB each.
            }
        ),
    },
}
