"""What goes from the environment to the train step."""

import numpy as np
import tensorflow as tf
from tf_agents.environments import batched_py_environment
from tf_agents.environments import tf_py_environment
from tf_agents.specs import array_spec

from r2i_tf.agents import R2IAgent
from r2i_tf.training import episodes
from r2i_tf.training import trainer as trainer_lib
from tests.agents import small
from tests.training import fakes

_IMAGE = (8, 8, 3)


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


def test_images_are_bytes_all_the_way_into_the_compiled_step():
  """Replay, batches and the inputs of the XLA program hold uint8."""
  recorder = episodes.EpisodeRecorder(
      batched_py_environment.BatchedPyEnvironment([_Filmed(5)])
  )
  environment = tf_py_environment.TFPyEnvironment(recorder)
  agent = R2IAgent(
      environment.time_step_spec(), environment.action_spec(), small.config()
  )
  trainer = trainer_lib.Trainer(fakes.config(), environment, recorder, agent)
  table = [v for v in trainer._replay.variables() if v.shape[1:] == _IMAGE]
  assert [v.dtype for v in table] == [tf.uint8]
  batch, _ = trainer._batches.element_spec
  assert batch.observation['camera'].dtype == tf.uint8
  graph = trainer._train_function.get_concrete_function().graph
  calls = [
      op
      for op in graph.get_operations()
      if 'PartitionedCall' in op.type and op.get_attr('_XlaMustCompile')
  ]
  assert len(calls) == 1
  inputs = [x for x in calls[0].inputs if x.shape[2:] == _IMAGE]
  assert [x.dtype for x in inputs] == [tf.uint8]
  trainer.collect()
  first = trainer._replay.gather_all().observation['camera'][0, 0]
  np.testing.assert_array_equal(first, np.full(_IMAGE, 200, np.uint8))
