"""The sweeps of docs/results.md, by name; without a name, all of them.

  r2i-sweep --sweep=experiments/sweeps.py --workdir=runs/results --parallel=2
  r2i-sweep --sweep=experiments/sweeps.py:popgym --workdir=runs/popgym

from the root of a checkout, whose experiments.ppo they run. The minutes in the
docstrings are of one core, by the processor time of a train step (quick start:
42 ms with the S3M, 75 ms with a GRU, on TensorFlow 2.15): together 1,340, or
eleven hours of two cores.

A GRU has as many parameters as the S3M that it is compared with, or up to 7%
more: its state is 112 wide where policy and heads see vectors of memory beside
it, 96 elsewhere.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import types
from typing import Any

from r2i_tf import sweeps

_MODEL = 'agent.world_model.sequence_model.'
_S3M = f'{_MODEL}s3m.'
_POSTERIOR = 'agent.world_model.posterior'
_POLICY_INPUT = 'agent.behavior.policy_input'

_PPO = ('python', '-m', 'experiments.ppo')


def _gru(posterior: str, size: int = 112) -> Mapping[str, Any]:
  return {
      f'{_MODEL}kind': 'gru',
      f'{_MODEL}output_size': size,
      _POSTERIOR: posterior,
  }


def _settings(
    agents: Mapping[str, Mapping[str, Any]],
    task: str,
    config: str,
    changes: Mapping[str, Any],
    **others: Any,
) -> list[sweeps.Setting]:
  """Returns a setting for each agent.

  Args:
    agents: Changes of fields that make each of them.
    task: The task.
    config: The recipe.
    changes: Further changes, the same for all agents.
    **others: Fields of the settings.
  """
  return [
      sweeps.Setting(name, task, config, {**changes, **agent}, **others)
      for name, agent in agents.items()
  ]


def _ppo(task: str, steps: int, memory: str = 'lstm', **changes: Any) -> Any:
  """Returns a PPO of TF-Agents, with an LSTM or with MLPs."""
  others = {
      name: changes.pop(name)
      for name in ('seeds', 'threshold', 'window')
      if name in changes
  }
  changes = {'steps': steps, 'memory': memory, **changes}
  name = 'ppo-lstm' if memory == 'lstm' else 'ppo-mlp'
  return sweeps.Setting(name, task, command=_PPO, changes=changes, **others)


# R2I and DreamerV3's memory, and what lies between.
_R2I_AND_GRU = {'r2i': {}, 'gru': _gru('recurrent')}
_THREE = {
    'r2i': {},
    'gru-non-recurrent': _gru('non_recurrent'),
    'gru': _gru('recurrent'),
}
# The two, where the policy sees h and z alone.
_SEEING = {'r2i': {}, 'gru': _gru('recurrent', 96)}
# A state of step d lasts some 2 / d steps: here up to 200, of sequences of 64.
_MOVING = {
    **_SEEING,
    'r2i-outlasting': {f'{_S3M}min_step': 0.01, f'{_S3M}max_step': 0.5},
}

# Of sweeps whose runs on the page are older than the quick start's update
# clipping: so they can be made again as they were.
_UNCLIPPED = {'agent.world_model_optimizer.update_clip': None}

# Episodes of memory_len and its like, whose score is that of the last answers.
_LENGTHS = {10: 9, 30: 15, 60: 18, 100: 22}
_MEMORY_STEPS = {10: 40_000, 30: 60_000, 60: 60_000, 100: 75_000}
_ENDS = {'stop_at_return': 0.95, 'evaluation_episodes': 20}


def memory_len() -> list[sweeps.Setting]:
  """Who remembers one bit, and for how long? 240 minutes."""
  found = []
  for length, index in _LENGTHS.items():
    task = f'bsuite/memory_len/{index}'
    seeds = (0, 1, 2) if length in (30, 100) else (0,)
    changes = {'steps': _MEMORY_STEPS[length], **_ENDS}
    found += _settings(_THREE, task, 'quickstart', changes, seeds=seeds)
    if length in (10, 30):
      found.append(_ppo(task, 300_000, stop_at_return=0.95))
  return found


def discounting_chain() -> list[sweeps.Setting]:
  """BSuite's credit assignment: 1, 3, 10, 30 and 100 steps. 75 minutes."""
  found = []
  for index in range(5):
    task = f'bsuite/discounting_chain/{index}'
    changes = {'steps': 50_000, 'stop_at_return': None, **_UNCLIPPED}
    found += _settings(
        _R2I_AND_GRU, task, 'quickstart', changes, threshold=1.05, window=50
    )
  return found


def memory_size() -> list[sweeps.Setting]:
  """1, 3 and 5 bits, of which one is asked for. 30 minutes."""
  # What was shown one step ago moves the memory by a step of this length.
  long_steps = {f'{_S3M}min_step': 0.5, f'{_S3M}max_step': 2.0}
  agents = {**_R2I_AND_GRU, 'r2i-long-steps': long_steps}
  found = []
  for index in (0, 2, 4):
    changes = {'steps': 20_000, **_ENDS, **_UNCLIPPED}
    if index == 4:
      # Five bits make 32 states, and the latents of the quick start 16.
      changes['agent.world_model.latent.groups'] = 3
      changes['steps'] = 40_000
    task = f'bsuite/memory_size/{index}'
    found += _settings(agents, task, 'quickstart', changes)
  return found


def umbrella_length() -> list[sweeps.Setting]:
  """The first step's choice, paid for after 10, 30 and 100. 45 minutes."""
  found = []
  for index in (9, 15, 22):
    changes = {'steps': 50_000, 'stop_at_return': None, **_UNCLIPPED}
    task = f'bsuite/umbrella_length/{index}'
    found += _settings(_R2I_AND_GRU, task, 'quickstart', changes)
  return found


def without_memory() -> list[sweeps.Setting]:
  """Tasks of BSuite that need none. 70 minutes."""
  found = []
  for task, config, agents, steps, window in [
      ('catch', 'bsuite:debug', _R2I_AND_GRU, 80_000, 200),
      ('cartpole', 'learning:cartpole_balance', _MOVING, 80_000, 20),
      ('mountain_car', 'bsuite:debug', _R2I_AND_GRU, 100_000, 20),
  ]:
    found += _settings(
        agents,
        f'bsuite/{task}/0',
        config,
        {'steps': steps, 'evaluation_episodes': 10},
        window=window,
    )
  return found


def popgym() -> list[sweeps.Setting]:
  """Six tasks of POPGym. 175 minutes."""
  found = []
  for name in (
      'RepeatPreviousEasy',
      'RepeatPreviousMedium',
      'RepeatFirstEasy',
      'AutoencodeEasy',
      'ConcentrationEasy',
      'HigherLowerEasy',
  ):
    task = f'popgym/{name}'
    changes = {'steps': 200_000, 'stop_at_return': 0.97}
    if name == 'ConcentrationEasy':
      # 52 cards of two kinds, face down or not, are seen at once.
      changes['agent.world_model.latent.groups'] = 16
      changes['agent.world_model.latent.classes'] = 8
    found += _settings(_R2I_AND_GRU, task, 'popgym:debug', changes)
    # A round is as long as the longest of these episodes, twice.
    ppo = {'round': 256, 'environments': 16, 'threshold': 0.97}
    found.append(_ppo(task, 500_000, **ppo))
  return found


def ablations() -> list[sweeps.Setting]:
  """Which parts of R2I make it remember 30 steps? 185 minutes."""
  # What the convolution asks for: no state to be shown, none to be reset.
  unbroken = {_POLICY_INPUT: 'output', f'{_MODEL}resets': False}
  # Their states, eight numbers for each channel, are too many to be shown: to
  # be held against the policy that sees h.
  channels = {_POLICY_INPUT: 'output', f'{_S3M}state_size': 8}
  agents = {
      'r2i-unclipped': {},
      'policy-sees-h': {_POLICY_INPUT: 'output'},
      'policy-sees-x': {_POLICY_INPUT: 'hidden'},
      'recurrent-posterior': {_POSTERIOR: 'recurrent'},
      'no-resets': {f'{_MODEL}resets': False},
      # A quarter of an episode, any of them, as many steps in a batch.
      'sequences-of-8': {
          'replay.episode_starts': 0.0,
          'replay.sequence_length': 8,
          'replay.batch_size': 256,
      },
      'sequences-from-anywhere': {'replay.episode_starts': 0.0},
      'siso': {**channels, f'{_S3M}kind': 'siso'},
      'siso-dplr': {**channels, f'{_S3M}kind': 'siso_dplr'},
      'selective': {
          **channels,
          f'{_S3M}kind': 'selective',
          f'{_S3M}discretization': 'zoh',  # It takes no other.
      },
      'attention-16': {f'{_S3M}attention_window': 16},
      'zoh': {f'{_S3M}discretization': 'zoh'},
      'zero-initial-state': {f'{_MODEL}learned_initial_state': False},
      'no-resets-policy-sees-h': unbroken,
      'convolution': {**unbroken, f'{_S3M}computation': 'convolution'},
  }
  task = f'bsuite/memory_len/{_LENGTHS[30]}'
  changes = {'steps': _MEMORY_STEPS[30], **_ENDS, **_UNCLIPPED}
  found = _settings(agents, task, 'quickstart', changes, seeds=(0, 1))
  # With update clipping it is a run of memory_len, which has more seeds.
  clipped = next(
      setting
      for setting in memory_len()
      if (setting.name, setting.task) == ('r2i', task)
  )
  first, *others = found
  return [clipped, dataclasses.replace(first, seeds=clipped.seeds), *others]


def memory_300() -> list[sweeps.Setting]:
  """One bit for 300 steps, in an hour each. 120 minutes."""
  return _long_memory(300, 60)


def memory_1000() -> list[sweeps.Setting]:
  """One bit for 1,000 steps, in two hours each. 240 minutes."""
  # In episodes as much as for 300 steps: with fewer the world model learns each
  # by heart, and with more nothing.
  more = {
      'steps': 3_000_000,
      'replay.capacity': 1_300_000,
      'prefill': 110_000,
  }
  return _long_memory(1000, 120, more)


def _long_memory(
    length: int,
    minutes: float,
    others: Mapping[str, Any] = types.MappingProxyType({}),
) -> list[sweeps.Setting]:
  # Two episodes and more in a sequence, so that there are ends in it.
  changes = {
      'steps': 1_000_000,
      'max_minutes': minutes,
      'replay.sequence_length': 2 * (length + 12),
      'replay.batch_size': 4,
      'replay.capacity': 400_000,
      'prefill': 32_768,
      'evaluation_episodes': 10,
      # A state that moves by no more than its step lasts as long.
      f'{_S3M}min_step': 0.001,
      **others,
  }
  return _settings(
      _R2I_AND_GRU,
      f'bsuite/memory_len?memory_length={length}',
      'quickstart',
      changes,
      window=100,
  )


def moving_seeing() -> list[sweeps.Setting]:
  """Does it cost anything where little is to be remembered? 160 minutes."""
  found = []
  for task, steps, threshold, seeds in [
      ('dmc/cartpole/balance', 60_000, 950.0, (0, 1)),
      ('dmc/reacher/easy', 240_000, 900.0, (0,)),
  ]:
    changes = {'steps': steps, 'max_minutes': 60.0}
    found += _settings(
        _MOVING,
        task,
        'learning:cartpole_balance',
        changes,
        threshold=threshold,
        window=20,
        seeds=seeds,
    )
  # The same task from vectors is among those of BSuite.
  from_images = {f'{name}-images': agent for name, agent in _SEEING.items()}
  changes = {'steps': 20_000}
  return found + _settings(
      from_images, 'bsuite/catch/0', 'learning:catch_images', changes
  )


SWEEPS = {
    function.__name__: function
    for function in (
        memory_len,
        discounting_chain,
        memory_size,
        umbrella_length,
        without_memory,
        popgym,
        ablations,
        moving_seeing,
        memory_300,
        memory_1000,
    )
}


def get_sweep(name: str = '') -> Sequence[sweeps.Setting]:
  """Returns the settings of a sweep, or of all, none of them twice."""
  if name:
    return SWEEPS[name]()
  found: list[sweeps.Setting] = []
  for function in SWEEPS.values():
    found += [setting for setting in function() if setting not in found]
  return found
