"""Tests of r2i_tf.agents.updates: which limits hold for which group."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from r2i_tf import devices
from r2i_tf.agents import updates as updates_lib
from tests.agents import small


@pytest.fixture(
    autouse=True,
    params=[devices.Device.CPU, devices.Device.TPU],
    ids=lambda device: device.value,
)
def _device(request):
  """A group as one vector, or as its variables."""
  with devices.compile_for(request.param):
    yield


def _updates(**of_world_model):
  """Optimisers with other settings for the world model alone."""
  agent = small.agent()
  config = small.config()
  settings = dataclasses.replace(config.world_model_optimizer, **of_world_model)
  config = dataclasses.replace(config, world_model_optimizer=settings)
  return updates_lib.Updates(agent.world_model, agent.behavior, config)


def _gradients(updates, size):
  rng = np.random.default_rng(0)
  return {
      name: [
          tf.constant(size * rng.normal(size=shape), tf.float32)
          for shape in optimizer.shapes
      ]
      for name, optimizer in updates.optimizers.items()
  }


def _vector(blocks):
  return np.concatenate([np.ravel(block) for block in blocks])


def _moment(optimizer):
  """The first, as a vector."""
  return _vector(optimizer.slots[: len(optimizer.slots) // 2])


def test_adaptive_clipping_takes_the_place_of_the_global_norm():
  """Where it is set each variable has its limit, elsewhere a group has one."""
  updates = _updates(adaptive_clip=0.1)
  gradients = _gradients(updates, 1e3)
  kept = {
      name: updates.optimizers[name].clip_adaptively(gradients[name], 0.1)
      for name in updates.of_world_model
  }
  _, norms = updates.apply(gradients)
  for name, optimizer in updates.optimizers.items():
    m = _moment(optimizer)
    if name in kept:
      clipped = _vector(kept[name])
      np.testing.assert_allclose(m, 0.1 * clipped, rtol=1e-4, atol=1e-7)
      assert np.linalg.norm(clipped) < 100
    else:
      np.testing.assert_allclose(np.linalg.norm(m), 0.1 * 1000, rtol=1e-3)
    # What is reported is the norm before.
    np.testing.assert_allclose(
        norms[f'{name}/gradient_norm'],
        np.linalg.norm(_vector(gradients[name])),
        rtol=1e-5,
    )


def test_infinite_gradients_are_refused_with_adaptive_clipping():
  """One of them refuses the step of every group."""
  updates = _updates(adaptive_clip=0.3)
  gradients = _gradients(updates, 1.0)
  gradients['ssm'][-1] *= np.inf
  finite, _ = updates.apply(gradients)
  assert not finite
  for optimizer in updates.optimizers.values():
    assert not any(np.any(slot) for slot in optimizer.slots)


def test_warmup_is_that_of_the_settings():
  """The first step is a tenth of what it is without; of other groups, all."""
  moved = {}
  for steps in (0, 10):
    updates = _updates(warmup_steps=steps)
    before = {
        name: [v.numpy() for v in optimizer._variables]
        for name, optimizer in updates.optimizers.items()
    }
    updates.apply(_gradients(updates, 1.0))
    moved[steps] = {
        name: np.concatenate(
            [
                np.ravel(v - b)
                for v, b in zip(optimizer._variables, before[name])
            ]
        )
        for name, optimizer in updates.optimizers.items()
    }
  for name, change in moved[10].items():
    share = 0.1 if name in updates.of_world_model else 1
    np.testing.assert_allclose(change, share * moved[0][name], atol=1e-5)


def test_update_clipping_is_that_of_the_settings():
  """A large gradient is held in both groups of the world model alone."""
  updates = _updates(update_clip=1.0)
  for _ in range(20):
    updates.apply(_gradients(updates, 1e-3))
  before = {n: _moment(o) for n, o in updates.optimizers.items()}
  large = _gradients(updates, 1.0)
  updates.apply(large)
  for name, optimizer in updates.optimizers.items():
    entered = np.linalg.norm(_moment(optimizer) - 0.9 * before[name])
    held = entered < 0.099 * np.linalg.norm(_vector(large[name]))
    assert held == (name in updates.of_world_model)


def test_the_norm_of_a_large_model_is_right():
  """Squares of more numbers than float32 can count one by one."""
  norm = tf.function(updates_lib._norm, jit_compile=True)
  for shape in ([2**25 + 3], [2**13, 2**12]):
    expected = np.sqrt(np.prod(shape))
    np.testing.assert_allclose(norm([tf.ones(shape)]), expected, rtol=1e-5)
