"""A run's directory with everything that a page can show, made by hand."""

import json
import math
import pathlib

import numpy as np
from PIL import Image

from r2i_tf import run_config
from r2i_tf import schema
from r2i_tf.record import outcome
from r2i_tf.record import records

STEPS = 40_000
_RECORDS = 60


def config(**changes):
  """Returns the quickstart's configuration as config.json has it."""
  run = run_config.RunConfig.preset('quickstart')
  return schema.to_mapping(schema.replace(run, changes))


def lines(returns=None, count=_RECORDS, **scalars):
  """Returns the records of a run that learns, with some of its scalars changed.

  Args:
    returns: Of share -> mean return of the episodes then.
    count: How many records.
    **scalars: Values, or functions of the share of the run that is over; a name
      has two underscores for a slash.
  """
  usual = {
      'world_model/reconstruction_loss': lambda t: 0.03 * math.exp(-6 * t)
      + 2e-3,
      'world_model/reward_loss': lambda t: 0.5 * math.exp(-8 * t) + 8e-3,
      'world_model/continuation_loss': lambda t: 0.02 * math.exp(-5 * t) + 1e-4,
      'world_model/kl': lambda t: 0.6 + 0.05 * math.sin(9 * t),
      'world_model/free_share': 0.3,
      'world_model/prior_entropy': lambda t: 1.8 - 0.2 * t,
      'world_model/posterior_entropy': lambda t: 1.0 - 0.1 * t,
      'world_model/gradient_norm': lambda t: 0.9 * math.exp(-3 * t),
      'forecast/error': lambda t: 0.1 * math.exp(-4 * t) + 0.003,
      'forecast/persistence': lambda t: 0.05 + 0.01 * math.sin(20 * t),
      'held_out/reward_loss': lambda t: 0.5 * math.exp(-8 * t) + 9e-3,
      'actor/entropy': lambda t: 0.69 - 0.25 * t,
      'actor/loss': lambda t: 0.003 * math.cos(5 * t),
      'critic/value': lambda t: 0.8 * t**2,
      'critic/error': 0.04,
      'returns/mean': lambda t: 0.8 * t**1.8,
      'returns/scale': 1.0,
      'train/refused': 0.0,
  }
  usual.update({k.replace('__', '/'): v for k, v in scalars.items()})
  returns = returns or (lambda t: math.tanh(6 * t - 2) / 2 + 0.5)
  draw = np.random.default_rng(0)
  found = []
  for i in range(1, count + 1):
    share = i / count
    step = int(STEPS * share)
    chance = (1 + returns(share)) / 2
    episodes = [float(x) for x in np.where(draw.random(8) < chance, 1, -1)]
    found.append(
        {
            records.STEP: step,
            records.TRAIN_STEP: max(0, (step - 4096) // 8),
            'episodes': 8 * i,
            'environment_restarts': 0,
            'minutes': 5 * share,
            'mean_return_100': returns(share),
            'mean_return_200': returns(share),
            'environment_steps_per_second': 130.0 + 5 * math.sin(7 * share),
            'train_steps_per_second': 16.0 + math.sin(7 * share),
            'resident_bytes': 1.1e9 + 5e7 * share,
            **{
                name: value(share) if callable(value) else value
                for name, value in usual.items()
            },
            'episode_steps': [step] * 8,
            'episode_returns': episodes,
        }
    )
  return found


def write(
    workdir: pathlib.Path,
    seed=0,
    over=True,
    returns=None,
    task='bsuite/memory_len/22',
    **scalars,
):
  """Writes a run with its looks, its episodes and its evaluation."""
  workdir.mkdir(parents=True)
  versions = {'python': '3.11.7', 'r2i_tf': '0.2.0'}
  _json(
      workdir / 'config.json',
      {'config': config(seed=seed, task=task), 'versions': versions},
  )
  found = lines(returns, **scalars)
  text = ''.join(json.dumps(line) + '\n' for line in found)
  (workdir / records.FILE).write_text(text)
  if over:
    last = found[-1]
    outcome.write(
        workdir,
        outcome.Outcome(
            'it has reached its mean return (stop_at_return)',
            last[records.STEP],
            last[records.TRAIN_STEP],
            last['episodes'],
            last['minutes'],
            113_042,
        ),
    )
  _policy(workdir / 'policies' / 'greedy')
  _look(workdir / 'look')
  return workdir


def picture(path: pathlib.Path, width: int, height: int, frames: int = 1):
  """Writes a PNG, or a GIF of several frames: a ball that falls."""
  path.parent.mkdir(parents=True, exist_ok=True)
  made = []
  for i in range(frames):
    pixels = np.full([height, width, 3], 235, np.uint8)
    row = (i + 1) * height // (frames + 2)
    pixels[row : row + max(2, height // 8), width // 2 : width // 2 + 9] = 40
    made.append(Image.fromarray(pixels))
  if frames > 1:
    made[0].save(path, save_all=True, append_images=made[1:], duration=100)
  else:
    made[0].save(path)


def _policy(folder: pathlib.Path):
  specs = {'shape': [], 'dtype': 'int32', 'minimum': '0', 'maximum': '1'}
  _json(folder / 'task.json', {'specs': {'action': specs}})
  _json(
      folder / 'evaluation.json',
      {
          'mean': 0.98,
          'standard_error': 0.02,
          'returns': [1.0] * 99 + [-1.0],
          'cut': 0,
      },
  )
  episodes = folder / 'episodes'
  picture(episodes / '0.gif', 320, 240, frames=8)
  picture(episodes / '0.png', 320, 240)
  picture(episodes / '1.png', 960, 420)
  common = {'return': 1.0, 'steps': 101, 'cut': False}
  _json(
      episodes / 'episodes.json',
      {
          'episodes': [
              {
                  'seed': 0,
                  'kind': 'animation',
                  'file': '0.gif',
                  'still': '0.png',
                  **common,
              },
              {
                  'seed': 1,
                  'kind': 'chart',
                  'file': '1.png',
                  'still': '1.png',
                  **common,
              },
          ]
      },
  )


def _look(folder: pathlib.Path):
  when = {'environment_steps': STEPS, 'train_steps': 4_488}
  picture(folder / 'camera.png', 1200, 300)
  picture(folder / 'camera.gif', 192, 64, frames=12)
  picture(folder / 'outlook.png', 900, 500)
  _json(
      folder / 'open_loop.json',
      {
          **when,
          'held_out': True,
          'shown': 32,
          'sequences': 4,
          'pictures': [
              {
                  'title': 'camera',
                  'kind': 'image',
                  'png': 'camera.png',
                  'gif': 'camera.gif',
              },
              {
                  'title': 'Reward, continuation and value',
                  'kind': 'outlook',
                  'png': 'outlook.png',
                  'gif': None,
              },
          ],
          'horizons': [1, 5, 15, 50],
          'errors': {
              'model': [0.002, 0.006, 0.02, 0.05],
              'last': [0.01, 0.05, 0.09, 0.12],
              'mean': [0.08, 0.08, 0.08, 0.08],
          },
      },
  )
  lags = [0, 1, 2, 4, 8, 16, 32, 64, 99]
  _json(
      folder / 'probes.json',
      {
          **when,
          'episodes': 120,
          'left_out': {'observation[0]': 'it is the same at every step'},
          'targets': [
              {
                  'name': 'first observation: the bit',
                  'measure': 'accuracy',
                  'chance': 0.5,
                  'lags': lags,
                  'curves': {
                      'x': [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.99, 0.99, 0.98],
                      'h': [1.0, 1.0, 0.99, 0.97, 0.95, 0.93, 0.9, 0.9, 0.9],
                      'z': [1.0, 0.6, 0.52, 0.5, 0.49, 0.5, 0.51, None, 0.5],
                      'policy': [1.0, 1.0, 1.0, 1.0, 1.0, 0.99, 0.99, 0.99, 1],
                  },
              },
              {
                  'name': 'observation[1]',
                  'measure': 'r2',
                  'chance': 0.0,
                  'lags': lags,
                  'curves': {
                      'x': [1.0, 0.9, 0.8, 0.6, 0.4, 0.2, 0.1, 0.05, -0.02],
                      'z': [1.0, 0.1, 0.0, 0.0, -0.1, 0.0, 0.0, 0.0, 0.0],
                  },
              },
          ],
      },
  )
  draw = np.random.default_rng(1)
  _json(
      folder / 'timescales.json',
      {
          **when,
          'layers': [
              {
                  'at_start': list(np.exp(draw.normal(3, 0.9, 64))),
                  'now': list(np.exp(draw.normal(3.8, 1.1, 64))),
              }
              for _ in range(2)
          ],
      },
  )
  _json(
      folder / 'sensitivity.json',
      {
          **when,
          'lags': lags,
          'gradient': [1.0, 0.4, 0.3, 0.2, 0.2, 0.15, 0.1, 0.1, 0.4],
          'action_gradient': [0.1, 0.2, 0.1, 0.1, 0.1, 0.1, 0.05, 0.05, 0.1],
      },
  )
  _json(
      folder / 'rewards.json',
      {
          **when,
          'sets': [
              {
                  'name': 'of the replay',
                  'episodes': 300,
                  'steps': 300,
                  'sign': 0.99,
                  'loss': 0.68,
              },
              {
                  'name': 'new',
                  'episodes': 64,
                  'steps': 0,
                  'sign': None,
                  'loss': None,
              },
          ],
      },
  )


def _json(path: pathlib.Path, value):
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(json.dumps(value))
