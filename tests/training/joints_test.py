"""From the environment to the train step: collector, replay and learner."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.environments import batched_py_environment
from tf_agents.specs import array_spec
from tf_agents.specs import tensor_spec

from r2i_tf import errors
from r2i_tf import replay as replay_lib
from r2i_tf import run_config
from r2i_tf import schema
from r2i_tf.agents import R2IAgent
from r2i_tf.record import records
from r2i_tf.training import collector as collector_lib
from r2i_tf.training import learner as learner_lib
from r2i_tf.training import run
from r2i_tf.training import schedule
from tests.agents import small
from tests.replay import fakes as replays
from tests.training import fakes

_IMAGE = (8, 8, 3)


@pytest.mark.parametrize(
    'replay',
    [replay_lib.UniformReplay, replay_lib.DiskReplay, replays.ListReplay],
)
def test_a_run_goes_on_with_any_replay(tmp_path, replay):
  """Another class in its parts is all that another replay needs."""
  agents = []
  config = fakes.config(parallel_environments=2, prefill=30)
  parts = dataclasses.replace(fakes.parts(agents), replay=replay)
  run.train(config, str(tmp_path), parts)
  longer = dataclasses.replace(config, steps=260)
  summary = run.train(longer, str(tmp_path), parts)
  assert summary.environment_steps == 260
  assert summary.train_steps == schedule.train_steps_after(260, config)
  assert agents[1].weight.numpy() == summary.train_steps
  losses = [r['loss'] for r in records.read(tmp_path / 'metrics.jsonl')]
  # The mean reward: one a step, and none for the step that begins the next.
  assert all(0.7 < loss < 1.0 for loss in losses)


@pytest.mark.parametrize(
    ('options', 'loss'),
    [
        # Five steps pay 1, the sixth, between two episodes, nothing: a sequence
        # of the first four has a mean reward of 1, one of the six padded to
        # eight 5/8.
        ({'sequence_length': 4, 'episode_starts': 1.0}, 1.0),
        ({'sequence_length': 8, 'whole_episodes': True}, 5 / 8),
    ],
)
def test_a_run_samples_as_its_configuration_says(tmp_path, options, loss):
  """Every sequence starts where an episode does."""
  replay = dataclasses.replace(fakes.config().replay, **options)
  run.train(fakes.config(replay=replay), str(tmp_path), fakes.parts())
  losses = [r['loss'] for r in records.read(tmp_path / 'metrics.jsonl')]
  assert losses == pytest.approx([loss] * len(losses))


def test_a_run_that_lost_its_replay_collects_anew(tmp_path):
  """It says so, and trains again once there is a sequence to train on."""
  config = fakes.config(
      replay=dataclasses.replace(
          fakes.config().replay, kind=run_config.ReplayKind.DISK, capacity=160
      )
  )
  run.train(config, str(tmp_path), fakes.parts())
  files = list((tmp_path / 'replay').iterdir())
  assert files
  for path in files:
    path.unlink()
  longer = dataclasses.replace(config, steps=300)
  summary = run.train(longer, str(tmp_path), fakes.parts())
  assert summary.environment_steps == 300
  assert summary.train_steps == schedule.train_steps_after(300, config)


def test_a_kind_that_needs_a_server_is_refused(tmp_path):
  """One sentence, before anything is built or written."""
  config = fakes.config(
      replay=dataclasses.replace(
          fakes.config().replay, kind=run_config.ReplayKind.REVERB
      )
  )
  with pytest.raises(errors.RunError, match='--replay_address'):
    run.train(config, str(tmp_path / 'run'), fakes.parts())
  assert not (tmp_path / 'run').exists()


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'episode_starts': 1.5}, r'probability lies in \[0, 1\]'),
        ({'episode_starts': -0.1}, r'probability lies in \[0, 1\]'),
        ({'episode_starts': 0.5, 'whole_episodes': True}, 'one of the two'),
    ],
)
def test_options_that_make_no_sense_are_refused(changes, message):
  """By the configuration, before a run."""
  with pytest.raises(schema.ConfigError, match=message):
    run_config.ReplayConfig(**changes)


class _Filmed(fakes.Countdown):
  """The countdown with a picture, as bright as there are steps left."""

  def observation_spec(self):
    return {
        'camera': array_spec.BoundedArraySpec(_IMAGE, np.uint8, 0, 255),
        'left': super().observation_spec(),
    }

  def _observation(self):
    return {
        'camera': np.full(_IMAGE, 40 * self._left, np.uint8),
        'left': super()._observation(),
    }


def test_images_are_bytes_all_the_way_into_the_compiled_step(tmp_path):
  """Replay, batches and the inputs of the XLA program hold uint8."""
  environment = batched_py_environment.BatchedPyEnvironment([_Filmed(5)])
  agent = R2IAgent(
      tensor_spec.from_spec(environment.time_step_spec()),
      tensor_spec.from_spec(environment.action_spec()),
      small.config(),
  )
  replay = replay_lib.UniformReplay(agent.collect_data_spec, 1, 100)
  collector = collector_lib.Collector(
      environment, agent.collect_policy, [replay.add], steps=1
  )
  batches = replay.sample(2, 8)
  assert batches.element_spec.observation['camera'].dtype == tf.uint8
  learner = learner_lib.Learner(agent, batches)
  graph = learner._train_function.get_concrete_function().graph
  calls = [
      op
      for op in graph.get_operations()
      if 'PartitionedCall' in op.type and op.get_attr('_XlaMustCompile')
  ]
  assert len(calls) == 1
  inputs = [x for x in calls[0].inputs if x.shape[2:] == _IMAGE]
  assert [x.dtype for x in inputs] == [tf.uint8]
  collector.collect()
  replay.save(tmp_path, None)
  (file,) = tmp_path.glob('*.npz')
  camera = np.load(file)['observation/camera']
  assert camera.dtype == np.uint8
  np.testing.assert_array_equal(camera[0, 0], np.full(_IMAGE, 200, np.uint8))
