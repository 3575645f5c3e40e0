"""Runs with records made by hand."""

import json

from r2i_tf.record import outcome
from r2i_tf.record import records


def run(workdir, returns, steps=10, over=True, info=None, config=None):
  """Writes a run with an episode, of so many steps each, for each return."""
  workdir.mkdir(parents=True)
  lines = []
  for i, value in enumerate(returns):
    lines.append(
        {
            records.STEP: steps * (i + 1),
            records.TRAIN_STEP: i + 1,
            'episodes': i + 1,
            'minutes': (i + 1) / 2,
            'train_steps_per_second': 20.0,
            'episode_steps': [steps * (i + 1)],
            'episode_returns': [value],
        }
    )
    if info is not None:
      lines[-1]['episode_info'] = {k: [v[i]] for k, v in info.items()}
  text = ''.join(json.dumps(line) + '\n' for line in lines)
  (workdir / records.FILE).write_text(text)
  if config is not None:
    (workdir / 'config.json').write_text(json.dumps({'config': config}))
  if over:
    count = len(returns)
    outcome.write(
        workdir,
        outcome.Outcome('over', steps * count, count, count, count / 2, 42),
    )
  return workdir
