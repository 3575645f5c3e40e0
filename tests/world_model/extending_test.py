"""The examples of docs/extending.md, taken from there and put to use."""

import pathlib
import re

import numpy as np
import pytest
import tensorflow as tf

from r2i_tf import config as agent_config
from r2i_tf import draws
from r2i_tf.world_model import heads
from r2i_tf.world_model import latents
from r2i_tf.world_model import losses
from r2i_tf.world_model import sequence_models
from tests.agents import small as small_agents
from tests.world_model import small

_DOCUMENT = pathlib.Path(__file__).parents[2] / 'docs' / 'extending.md'
_VECTOR = tf.TensorSpec([3], tf.float32)
_SEED = draws.Seed([1, 2])
_RESETS = [[1, 0, 0, 1, 1, 0, 0, 0], [1, 0, 0, 0, 0, 0, 1, 0]]


def _example(name):
  pattern = rf'<!-- example: {name} -->\n```python\n(.*?)```'
  return re.search(pattern, _DOCUMENT.read_text('utf-8'), re.S)[1]


@pytest.fixture(name='window')
def _window(monkeypatch):
  """Has the kind GRU be the documented memory with a window."""
  defined = {}
  exec(_example('window'), defined)
  kind = agent_config.SequenceModelKind.GRU
  monkeypatch.setitem(
      sequence_models._CLASSES, kind, defined['WindowSequenceModel']
  )
  return kind


def test_a_memory_with_a_window_agrees_in_both_forms(window, monkeypatch):
  """A memory need not be a vector: the world model carries any nest."""
  model = small.model(_VECTOR, kind=window)
  monkeypatch.setattr(
      latents.Latents,
      'drawn_with',
      lambda self, it, noise: tf.reshape(
          it.distribution.probs_parameter(), [*it.batch_shape, -1]
      ),
  )
  experience = small.experience(_VECTOR, _RESETS)
  observed = model.observe(experience, _SEED)
  carry = tf.nest.map_structure(lambda x: x + 9, model.initial(2))
  for t in range(8):
    state, carry = model.observe_step(
        carry,
        experience.previous_action[:, t],
        experience.observation[:, t],
        experience.is_first[:, t],
        model.latent_noise(2),
    )
    tf.nest.map_structure(
        lambda a, b, t=t: np.testing.assert_allclose(a, b[:, t], atol=1e-5),
        (state, carry),
        (observed.state, observed.carry),
    )


def test_an_agent_trains_and_acts_with_it(window):
  """Imagination and the policy's state carry it too."""
  agent = small_agents.agent(kind=window)
  batch = small_agents.trajectories()
  info = agent.train(batch)
  assert info.extra['train/refused'] == 0 and np.isfinite(info.loss)
  state = agent.policy.get_initial_state(2)
  assert state['memory']['inputs'].shape == (2, 3, 8)


def test_a_head_is_one_entry(monkeypatch):
  """Another entry is another loss, which teaches its own network."""
  create = heads.create

  def with_one_more(config, options):
    more = eval(
        f'{{{_example("head")}}}',
        vars(heads),
        {'config': config, 'options': options},
    )
    return {**create(config, options), **more}

  experience = small.experience(_VECTOR, _RESETS)
  monkeypatch.setattr(heads, 'create', with_one_more)
  model = small.model(_VECTOR)
  with tf.GradientTape() as tape:
    loss, _, metrics = losses.loss(model, experience, _SEED)
  gradients = tape.gradient(
      loss, model.heads['episode_start'].trainable_variables
  )
  assert all(np.any(g) for g in gradients)
  scales = {'dynamics': 0.5, 'representation': 0.1, 'episode_start': 0.1}
  names = ('reconstruction', 'reward', 'continuation', *scales)
  expected = sum(
      scales.get(name, 1) * metrics[f'world_model/{name}_loss']
      for name in names
  )
  np.testing.assert_allclose(loss, expected, rtol=1e-5)
