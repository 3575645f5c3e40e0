"""The kinds of bad input that `bad_input` tries, as a table."""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
import contextlib
import dataclasses
import json
import pathlib
from typing import Any

from r2i_tf import run_config
from r2i_tf import schema


@contextlib.contextmanager
def _nothing() -> Iterator[None]:
  yield


@dataclasses.dataclass(frozen=True)
class Case:
  """A command line that is to be refused.

  Attributes:
    kind: The heading that it stands under.
    what: What is wrong.
    command: The command line, as for a shell.
    prepare: A context, in the working directory, in which the case is run.
    environment: Variables of the environment that matter; such a case has a
      process of its own.
    needs: Packages without which the answer is another.
  """

  kind: str
  what: str
  command: str
  prepare: Callable[[], contextlib.AbstractContextManager] = _nothing
  environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
  needs: tuple[str, ...] = ()

  def settings(self) -> list[str]:
    """Returns the variables as one types them before a command."""
    return [f'{name}={value}' for name, value in self.environment.items()]


def _with(**texts: str) -> Callable[[], contextlib.AbstractContextManager]:
  """Returns a `prepare` that writes files, whose names have __ for / and .."""
  return lambda: _written(
      {name.replace('__', '/'): text for name, text in texts.items()}
  )


@contextlib.contextmanager
def _written(texts: Mapping[str, str]) -> Iterator[None]:
  for name, text in texts.items():
    path = pathlib.Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding='utf-8')
  yield


def _config_file(text: str) -> Callable[[], contextlib.AbstractContextManager]:
  return lambda: _written({'my_run.py': text})


def _run(
    change: Callable[[dict[str, Any]], None] = lambda record: None,
    **files: str,
) -> Callable[[], contextlib.AbstractContextManager]:
  """Returns a `prepare` for `run`, the directory of a run of the quickstart.

  Args:
    change: Changes what `config.json` holds.
    **files: Others there, '__' for '/' in their names.
  """

  def prepare() -> contextlib.AbstractContextManager:
    config = schema.to_mapping(run_config.RunConfig.preset('quickstart'))
    record = {'config': config, 'versions': {'r2i_tf': '0.3.0'}}
    change(record)
    texts = {'run/config.json': json.dumps(record)}
    for name, text in files.items():
      texts[f'run/{name.replace("__", "/")}'] = text
    return _written(texts)

  return prepare


@contextlib.contextmanager
def _running() -> Iterator[None]:
  """Another run is in `run`."""
  from r2i_tf.training import workdir

  config = run_config.RunConfig.preset('quickstart')
  with _run()(), workdir.Workdir('run').held(config):
    yield


def _older(record: dict[str, Any]) -> None:
  del record['config']['replay']['episode_starts']
  record['versions']['r2i_tf'] = '0.1.0'


def _newer(record: dict[str, Any]) -> None:
  record['config']['replay']['priority'] = 0.5


def _other(record: dict[str, Any]) -> None:
  record['config']['seed'] = 7


def _policy(**changes: Any) -> Callable[[], contextlib.AbstractContextManager]:
  """Returns a `prepare` for `policy`, all of an export but the SavedModel."""
  description = {
      'task': 'bsuite/memory_len/2',
      'environment': {},
      'train_steps': 0,
      'specs': {
          'observation': {'shape': [1, 3], 'dtype': 'float32'},
          'action': {
              'shape': [],
              'dtype': 'int32',
              'minimum': '0',
              'maximum': '1',
          },
      },
  }
  return lambda: _written(
      {'policy/task.json': json.dumps({**description, **changes})}
  )


@contextlib.contextmanager
def _evaluating() -> Iterator[None]:
  """Another process is evaluating the policy."""
  from r2i_tf.training import turns

  with _policy()(), turns.evaluator(pathlib.Path('policy')):
    yield


@contextlib.contextmanager
def _following() -> Iterator[None]:
  """Another process follows the policies."""
  from r2i_tf.training import turns

  with turns.follower(pathlib.Path('policy')):
    yield


_GYM = ('gymnasium',)
_MINE = """
import gymnasium
import numpy as np

class Room(gymnasium.Env):
  action_space = gymnasium.spaces.Discrete(2)
  observation_space = gymnasium.spaces.Box(0.0, 1.0, [3])
  seen = np.zeros([3], np.float32)
  def reset(self, *, seed=None, options=None):
    return self.seen, {}
  def step(self, action):
    return self.seen, 0.0, False, False, {}

class Haunted(Room):
  def __init__(self):
    raise RuntimeError('there is a ghost')

class Unready(Room):
  def reset(self, *, seed=None, options=None):
    raise ValueError('the floor is wet')

class Odd(Room):
  seen = np.full([3], np.nan, np.float32)

class Boundless(Room):
  action_space = gymnasium.spaces.Box(-np.inf, np.inf, [2])

for room in (Haunted, Unready, Odd, Boundless):
  gymnasium.register(f'{room.__name__}-v0', room)
"""
_TRAIN = 'r2i-train --config=quickstart --workdir=run'
_COMMAND, _CONFIG, _FILE = 'The command line', 'Fields', 'Config files'
_WORKDIR, _TASK, _POLICY = 'Directories', 'Tasks', 'Policies'
_SWEEP = 'Sweeps and reports'
_LOOK = 'Looking'


def _field(what: str, setting: str) -> Case:
  return Case(_CONFIG, what, f'{_TRAIN} --config.{setting}')


def _file(what: str, text: str) -> Case:
  command = 'r2i-train --config=my_run.py --workdir=run'
  return Case(_FILE, what, command, _config_file(text))


def _task(what: str, task: str, *needs: str) -> Case:
  return Case(_TASK, what, f'{_TRAIN} --task={task}', needs=needs)


def _own(what: str, name: str) -> Case:
  """Returns the case of an environment in `mine.py`, by its name there."""
  command = f'{_TRAIN} --task=gymnasium/mine:{name}-v0'
  files = {'mine.py': _MINE}
  return Case(_TASK, what, command, lambda: _written(files), needs=_GYM)


def _sweep(what: str, settings: str) -> Case:
  """Returns the case of a sweep file with these settings."""
  text = (
      'from r2i_tf import sweeps\n\n' f'def get_sweep():\n  return {settings}\n'
  )
  command = 'r2i-sweep --sweep=sweep.py --workdir=sweep'
  return Case(_SWEEP, what, command, lambda: _written({'sweep.py': text}))


def _evaluation(what: str, arguments: str, **changes: Any) -> Case:
  command = f'r2i-evaluate --policy=policy {arguments}'.strip()
  prepare = _policy(**changes)
  return Case(_POLICY, what, command, prepare, needs=('bsuite',))


CASES = (
    Case(_COMMAND, 'No recipe', 'r2i-train --workdir=run'),
    Case(_COMMAND, 'No directory', 'r2i-train --config=bsuite'),
    Case(
        _COMMAND,
        'A field, and no recipe',
        'r2i-train --workdir=run --config.steps=3',
    ),
    Case(_COMMAND, 'A recipe misspelt', 'r2i-train --config=bsuit'),
    Case(_COMMAND, 'A variant misspelt', 'r2i-train --config=bsuite:smal'),
    Case(_COMMAND, 'A variant missing', 'r2i-train --config=learning'),
    Case(_COMMAND, 'A variant of none', 'r2i-train --config=quickstart:debug'),
    Case(_COMMAND, 'A flag misspelt', f'{_TRAIN} --workdr=run'),
    Case(_COMMAND, 'An argument that is no flag', f'{_TRAIN} quickstart'),
    Case(_COMMAND, 'A value missing', f'{_TRAIN} --config.steps'),
    Case(_COMMAND, 'A strategy misspelt', f'{_TRAIN} --strategy=mirorred'),
    Case(_COMMAND, 'A TPU without its strategy', f'{_TRAIN} --tpu=local'),
    Case(
        _COMMAND, 'Several hosts, of none', f'{_TRAIN} --strategy=multi_worker'
    ),
    Case(
        _COMMAND,
        'A replay server, and no address of it',
        f'{_TRAIN} --config.replay.kind=reverb',
    ),
    Case(
        _COMMAND,
        'An address, and no replay server',
        f'{_TRAIN} --replay_address=localhost:8765',
    ),
    Case(
        _COMMAND,
        'A port that is none',
        'r2i-replay-server --config=quickstart --workdir=run --port=99999',
    ),
    Case(
        _COMMAND,
        'No collector at all',
        'r2i-local-cluster --config=quickstart --workdir=run --collectors=0',
    ),
    Case(_COMMAND, 'A collector of no server', 'r2i-collect'),
    Case(
        _COMMAND,
        'An address without a port',
        'r2i-collect --replay_address=localhost',
        needs=('reverb',),
    ),
    Case(
        _COMMAND,
        'A TPU that there is not',
        'r2i-tpu-preflight --config=bsuite --topology=v9:2x2 --workdir=run',
    ),
    Case(
        _COMMAND,
        'A name in another encoding',
        "r2i-train --config=quickstart --workdir='läuft'",
        environment={'LC_ALL': 'C', 'PYTHONUTF8': '0'},
    ),
    _field('A field misspelt', 'stps=3'),
    _field('A field of a field', 'steps.x=3'),
    _field('A group of fields', 'replay=3'),
    _field('A word for a number', 'steps=many'),
    _field('A fraction for a whole number', 'steps=1.5'),
    _field('A number for a choice', 'environment_processes=3'),
    _field('Nothing to do', 'steps=0'),
    _field('A number without end', 'train_ratio=1e999'),
    _field('No time', 'max_minutes=0'),
    _field('A seed below zero', 'seed=-1'),
    _field('A number of episodes below zero', 'evaluation_episodes=-1'),
    _field('A precision misspelt', 'agent.precision=float23'),
    _field('A kind misspelt', 'replay.kind=tape'),
    _field('A sequence of one step', 'replay.sequence_length=1'),
    _field('A sequence too long', 'replay.sequence_length=50_000'),
    _field('A prefill too short', 'prefill=3'),
    _field('A stride that does not divide', 'replay.stride=7'),
    _field('A probability above one', 'replay.episode_starts=2'),
    _field(
        'Two fields that exclude each other',
        'replay.episode_starts=.5 --config.replay.whole_episodes=true',
    ),
    _field(
        'Environments that cannot step while it trains',
        'collect_while_training=True',
    ),
    _field(
        'Collectors that always do',
        'collect_while_training=True --config.environment_processes=True'
        ' --config.replay.kind=reverb',
    ),
    _field('A replay beyond all memory', 'replay.capacity=1e15'),
    _field('A pattern that is none', "agent.world_model.image_keys='('"),
    _field('No group of latents', 'agent.world_model.latent.groups=0'),
    _field('A discount above one', 'agent.behavior.discount=1.5'),
    _field('A step of no action', 'environment.dmc.action_repeat=0'),
    _field('Restarts below zero', 'pool.max_restarts=-1'),
    Case(_FILE, 'No file', 'r2i-train --config=my_run.py --workdir=run'),
    _file(
        'A name that is not defined', 'def get_config():\n  return nothing\n'
    ),
    _file('An error in the syntax', 'def get_config(:\n'),
    _file('No function', 'config = 3\n'),
    _file('A dict', 'def get_config():\n  return {"steps": 3}\n'),
    _file(
        'A field that there is not',
        'import ml_collections\n'
        'def get_config():\n'
        '  return ml_collections.ConfigDict({"stepps": 3})\n',
    ),
    _file(
        'A number that is none',
        'from r2i_tf import run_config\n'
        'def get_config():\n'
        '  config = run_config.recipe("quickstart")\n'
        '  config.train_ratio = float("nan")\n'
        '  return config\n',
    ),
    Case(_WORKDIR, 'A file', _TRAIN, _with(run='')),
    Case(_WORKDIR, 'Below a file', f'{_TRAIN}/1', _with(run='')),
    Case(_WORKDIR, 'No name', 'r2i-train --config=quickstart --workdir=""'),
    Case(
        _WORKDIR,
        'A home of nobody',
        'r2i-train --config=quickstart --workdir="~nobody_here/run"',
    ),
    Case(
        _WORKDIR,
        'A name too long',
        f'r2i-train --config=quickstart --workdir={"long" * 75}',
    ),
    Case(_WORKDIR, 'Another run is in it', _TRAIN, _running),
    Case(_WORKDIR, 'A run with other values', _TRAIN, _run(_other)),
    Case(
        _WORKDIR,
        'A run from before there was a field, which has another value now',
        f'{_TRAIN} --config.replay.episode_starts=0.5',
        _run(_older),
    ),
    Case(_WORKDIR, 'A run of a newer version', _TRAIN, _run(_newer)),
    Case(
        _WORKDIR,
        'Checkpoints of nobody knows what',
        _TRAIN,
        lambda: _written({'run/checkpoints/000000000042/manifest.json': ''}),
    ),
    Case(
        _WORKDIR,
        'A damaged config.json',
        _TRAIN,
        lambda: _written({'run/config.json': '{"config": {'}),
    ),
    Case(
        _WORKDIR,
        'A config.json of something else',
        _TRAIN,
        lambda: _written({'run/config.json': '{"config": [1, 2]}'}),
    ),
    Case(
        _WORKDIR,
        'Damaged checkpoints',
        _TRAIN,
        lambda: _run(
            **{'checkpoints__000000000042-000000000007__manifest.json': '{}'}
        )(),
    ),
    Case(
        _WORKDIR,
        'A replay server in a file',
        'r2i-replay-server --config=quickstart --workdir=run',
        _with(run=''),
        needs=('reverb',),
    ),
    _task('No suite', 'memory_len/2'),
    _task('A suite misspelt', 'bsuit/memory_len/2'),
    _task('A task misspelt', 'bsuite/memory_lane/2', 'bsuite'),
    _task('A setting that there is not', 'bsuite/memory_len/99', 'bsuite'),
    _task('No task', 'bsuite', 'bsuite'),
    _task('Another game', 'atari/Pomg', 'ale_py'),
    _task('Another domain', 'dmc/wolker/walk', 'dm_control'),
    _task('Another puzzle', 'popgym/RepeatPreviosEasy', 'popgym'),
    _task('An id misspelt', 'gymnasium/CartPoel-v1', 'gymnasium'),
    _task('A module that there is not', 'gymnasium/mine:A-v0', 'gymnasium'),
    _own('An environment that cannot be made', 'Haunted'),
    _own('An environment that cannot be reset', 'Unready'),
    _own('An environment that begins with no number', 'Odd'),
    _own('Actions without bounds', 'Boundless'),
    Case(_POLICY, 'No policy', 'r2i-evaluate'),
    Case(_POLICY, 'No directory', 'r2i-evaluate --policy=policy'),
    Case(
        _POLICY,
        'A directory of something else',
        'r2i-evaluate --policy=policy',
        lambda: _written({'policy/saved_model.pb': ''}),
    ),
    Case(
        _POLICY,
        'A damaged description',
        'r2i-evaluate --policy=policy',
        lambda: _written({'policy/task.json': '{"task": '}),
    ),
    _evaluation('A SavedModel that is not there', ''),
    _evaluation('No episodes', '--episodes=0'),
    _evaluation('A word for a number', '--episodes=many'),
    _evaluation('A word for a seed', '--seeds=0,one'),
    _evaluation('A seed twice', '--seeds=3,3'),
    _evaluation('No step', '--max_steps=0'),
    _evaluation('Fewer pictures than none', '--pictures=-1'),
    Case(
        _POLICY,
        'Another process is evaluating it',
        'r2i-evaluate --policy=policy',
        _evaluating,
        needs=('bsuite',),
    ),
    Case(
        _POLICY,
        'Another process follows it',
        'r2i-evaluate --policy=policy --follow',
        _following,
    ),
    _evaluation('Another task', '--task=bsuite/catch/0'),
    _evaluation('A task that there is not', '--task=bsuite/memory_lane/2'),
    _evaluation(
        'A policy of a task that there is not', '', task='bsuite/memory_lane/2'
    ),
    _evaluation(
        'Options that there are not', '', environment={'bsuite': {'boards': 3}}
    ),
    Case(
        _SWEEP,
        'A file that is not there',
        'r2i-sweep --sweep=sweep.py --workdir=sweep',
    ),
    _sweep('A sweep of something else', '[3]'),
    _sweep(
        'A field misspelt',
        "[sweeps.Setting('a', 'bsuite/catch/0', 'quickstart', {'stepz': 3})]",
    ),
    _sweep(
        'A setting twice',
        "2 * [sweeps.Setting('a', 'bsuite/catch/0', 'quickstart')]",
    ),
    Case(_SWEEP, 'No run to report', 'r2i-report --output=report'),
    Case(_SWEEP, 'Runs, and no place for their page', 'r2i-report a b'),
    Case(
        _SWEEP,
        'A directory that holds no run',
        'r2i-report --output=report runs',
        lambda: _written({'runs/notes.txt': ''}),
    ),
    Case(_LOOK, 'No run there', 'r2i-look --workdir=run'),
    Case(
        _LOOK,
        'Something that cannot be made',
        'r2i-look --workdir=run --make=timescales,probe',
    ),
    Case(_LOOK, 'Other episodes', 'r2i-look --workdir=run --source=disk'),
)
