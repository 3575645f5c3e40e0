"""The record of a run, and the learning curve that is read from it."""

import json

import numpy as np

from r2i_tf.record import learning_curve
from r2i_tf.record import metrics
from r2i_tf.record import records


def _write(directory, first_step, *steps, **fields):
  writer = metrics.MetricsWriter(
      directory / 'metrics.jsonl',
      directory / 'tensorboard',
      first_step,
      first_train_step=7,
      prepare=lambda: None,
  )
  for step in steps:
    record = {'environment_steps': step, 'minutes': step / 10, **fields}
    writer.write(record, [records.Episode(step, float(step))])
  writer.close()
  return directory / 'metrics.jsonl'


def _steps(path):
  return [record['environment_steps'] for record in records.read(path)]


def test_a_line_that_a_kill_cut_is_dropped(tmp_path):
  """After a kill in the middle of a line, every line is whole JSON again."""
  path = _write(tmp_path, 0, 10, 20)
  with open(path, 'a', encoding='utf-8') as file:
    file.write('{"environment_steps": 30, "epi')
  _write(tmp_path, 20, 40)
  lines = path.read_text().splitlines()
  assert [json.loads(line)['environment_steps'] for line in lines] == [
      10,
      20,
      40,
  ]


def test_records_beyond_the_checkpoint_are_dropped(tmp_path):
  """A run that goes on from step 20 lives step 30 again, and counts it once."""
  path = _write(tmp_path, 0, 10, 20, 30)
  _write(tmp_path, 20, 25)
  assert _steps(path) == [10, 20, 25]


def test_records_of_later_train_steps_are_dropped(tmp_path):
  """Of one environment step there may be many records, while a run trains."""
  path = _write(tmp_path, 0, 10, 20, train_steps=7)
  _write(tmp_path, 20, 20, train_steps=8)
  assert _steps(path) == [10, 20, 20]
  _write(tmp_path, 20)
  assert _steps(path) == [10, 20]


def test_a_number_that_is_not_finite_leaves_the_file_valid_json(tmp_path):
  """A diverged loss does not make the record unreadable for strict parsers."""
  path = _write(tmp_path, 0, 10, loss=float('nan'))
  record = json.loads(
      path.read_text(), parse_constant=lambda name: [][name]  # Fails on NaN.
  )
  assert record['loss'] is None


def test_the_curve_is_the_trailing_mean_of_every_episode(tmp_path):
  """No episode is lost between the run and its learning curve."""
  path = _write(tmp_path, 0, *range(1, 301))
  curve = learning_curve.read_curve(path, window=200)
  returns = np.arange(1, 301)
  assert curve.environment_steps.tolist() == returns.tolist()
  np.testing.assert_allclose(curve.mean_returns[9], returns[:10].mean())
  np.testing.assert_allclose(curve.mean_returns[-1], returns[-200:].mean())
  np.testing.assert_allclose(curve.minutes, returns / 10)


def test_many_runs_are_drawn_in_one_picture(tmp_path):
  """A run without a finished episode does not spoil the picture of others."""
  (tmp_path / 'empty').write_text('')
  runs = {'one': _write(tmp_path, 0, 1, 2, 3), 'none': tmp_path / 'empty'}
  learning_curve.plot(runs, tmp_path / 'plots' / 'curve.png')
  picture = (tmp_path / 'plots' / 'curve.png').read_bytes()
  assert picture.startswith(b'\x89PNG')


def test_episodes_that_end_together_are_one_point_of_the_picture():
  """With the mean that the last of them leaves."""
  curve = learning_curve.Curve(
      np.array([5, 5, 9]), np.array([1.0, 1.0, 2.0]), np.array([0.0, 0.5, 0.3])
  )
  points = learning_curve.last_of_each_step(curve)
  assert points.environment_steps.tolist() == [5, 9]
  assert points.mean_returns.tolist() == [0.5, 0.3]


def test_the_last_record_is_the_last_whole_one(tmp_path):
  """However long the file, and whatever stands behind it."""
  path = tmp_path / 'metrics.jsonl'
  assert records.read_last(path) is None
  lines = [
      json.dumps({'environment_steps': step, 'padding': 'x' * (1 << 19)})
      for step in (10, 20)
  ]
  path.write_text('\n'.join([*lines, '{"environment_steps": 30']))
  assert records.read_last(path)['environment_steps'] == 20


def test_a_last_record_of_any_size_is_found(tmp_path, monkeypatch):
  """One of very many short episodes has megabytes."""
  path = tmp_path / 'metrics.jsonl'
  long = {records.STEP: 7, 'episode_returns': [1.5] * 100}
  path.write_text(f'{json.dumps({records.STEP: 3})}\n{json.dumps(long)}\n')
  monkeypatch.setattr(records, '_TAIL', 8)
  assert records.read_last(path) == long


def test_what_environments_say_of_episodes_is_recorded(tmp_path):
  """One list for each name, null where an episode lacks it."""
  writer = metrics.MetricsWriter(
      tmp_path / 'metrics.jsonl', tmp_path / 'tensorboard', 0, 0, lambda: None
  )
  writer.write(
      {'environment_steps': 9},
      [
          records.Episode(3, 1.0, {'regret': 0.5}),
          records.Episode(6, 1.0),
          records.Episode(9, 1.0, {'regret': 2.0}),
      ],
  )
  writer.close()
  (record,) = records.read(tmp_path / 'metrics.jsonl')
  assert record['episode_info'] == {'regret': [0.5, None, 2.0]}
