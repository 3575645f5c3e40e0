"""kind=gru is DreamerV3's recurrent state-space model, written out in NumPy."""

import numpy as np
import tensorflow as tf

from r2i_tf import config as agent_config
from tests.world_model import small

_VECTOR = tf.TensorSpec([3], tf.float32)


def _sigmoid(x):
  return 1 / (1 + np.exp(-x))


def _layer_norm(x, norm):
  gamma, beta = (np.array(v, np.float64) for v in norm.trainable_variables)
  spread = np.sqrt(x.var(-1, keepdims=True) + 1e-3)
  return (x - x.mean(-1, keepdims=True)) / spread * gamma + beta


def _hidden_layer(x, mlp):
  """Dense without bias, LayerNorm, SiLU."""
  dense, norm = mlp._stack
  [kernel] = dense.trainable_variables
  x = _layer_norm(x @ np.array(kernel, np.float64), norm)
  return x * _sigmoid(x)


def _logits(x, head):
  kernel, bias = (
      np.array(v, np.float64) for v in head._output.trainable_variables
  )
  return _hidden_layer(x, head._mlp) @ kernel + bias


def _log_chances(logits):
  """Of 2 x 3 classes, with 1% of the uniform distribution."""
  logits = logits.reshape(-1, 2, 3)
  chances = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
  return np.log(0.99 * chances + 0.01 / 3)


def test_a_step_is_dreamerv3s():
  """Cell, prior, posterior and initial memory, part by part."""
  model = small.model(_VECTOR, kind=agent_config.SequenceModelKind.GRU)
  rng = np.random.default_rng(0)
  observation = rng.normal(size=[2, 3]).astype(np.float32)
  action = rng.normal(size=[2, 2]).astype(np.float32)
  carry = model.initial(2)
  gru = model._sequence_model
  np.testing.assert_allclose(
      carry.memory, np.tile(np.tanh(gru._initial), [2, 1]), rtol=1e-6
  )
  latent = np.eye(3, dtype=np.float32)[[[0, 2], [1, 1]]].reshape(2, 6)
  carry = carry._replace(latent=tf.constant(latent))
  state, _ = model.observe_step(
      carry, action, observation, tf.zeros([2], tf.bool)
  )

  h = np.array(carry.memory, np.float64)
  x = _hidden_layer(np.concatenate([latent, action], -1), gru._input)
  [kernel] = gru._gates.trainable_variables
  gates = np.concatenate([h, x], -1) @ np.array(kernel, np.float64)
  reset, candidate, update = np.split(_layer_norm(gates, gru._norm), 3, -1)
  candidate = np.tanh(_sigmoid(reset) * candidate)
  update = _sigmoid(update - 1)
  h = update * candidate + (1 - update) * h
  np.testing.assert_allclose(state.output, h, rtol=1e-4, atol=1e-6)

  prior = _log_chances(_logits(h, model._prior))
  np.testing.assert_allclose(
      model.prior(state.output).distribution.logits, prior, rtol=1e-4
  )
  embedding = model.embed(observation)
  seen = np.concatenate([h, embedding], -1)
  posterior = _log_chances(_logits(seen, model._posterior))
  np.testing.assert_allclose(
      model.posterior(embedding, state.output).distribution.logits,
      posterior,
      rtol=1e-4,
  )
