"""Tests of Atari, against ALE's own interface."""

import dm_env
import numpy as np
from PIL import Image
import pytest

from r2i_tf import environments
from r2i_tf.environments.suites import registry as suites

ale_py = pytest.importorskip('ale_py')

FIRE, NOOP = 1, 0  # Of Breakout's four actions.


def make(game, seed=0, **options):
  return suites.make(
      f'atari/{game}', seed, environments.AtariOptions(**options)
  )


def raw(game):
  """Returns the bare emulator of a game, at its start, without randomness."""
  interface = ale_py.ALEInterface()
  interface.setFloat('repeat_action_probability', 0.0)
  interface.loadROM(str(ale_py.roms.get_rom_path(game)))
  interface.reset_game()
  return interface


def play(env, steps, seed=0):
  """Returns all observations under random actions."""
  random = np.random.default_rng(seed)
  count = env.action_spec().num_values
  observations = [env.reset().observation]
  for _ in range(steps):
    observations.append(env.step(random.integers(count)).observation)
  return np.stack(observations)


def small(frame):
  pillow = Image.fromarray(frame)
  return np.asarray(pillow.resize((64, 64), Image.Resampling.BOX))


@pytest.mark.parametrize('repeat', [1, 4])
def test_step_is_four_frames_with_the_last_two_as_one(repeat):
  """Rewards add up over the frames; a sprite in one of the last two is seen."""
  env = make('ms_pacman', noops=0, action_repeat=repeat)
  interface = raw('ms_pacman')
  actions = interface.getMinimalActionSet()
  np.testing.assert_array_equal(
      env.reset().observation, small(interface.getScreenRGB())
  )
  random, total, flickered = np.random.default_rng(0), 0.0, 0
  before = interface.getScreenRGB()
  for _ in range(480 // repeat):
    action = random.integers(len(actions))
    time_step, reward = env.step(action), 0.0
    for frame in range(repeat):
      reward += interface.act(actions[action])
      if frame == repeat - 2:
        before = interface.getScreenRGB()
    newest = interface.getScreenRGB()
    np.testing.assert_array_equal(
        time_step.observation, small(np.maximum(before, newest))
    )
    assert time_step.reward == reward
    flickered += np.any(before != newest)
    total += reward
    before = newest
  assert total > 0 and flickered > 10


def test_noop_starts_are_random_up_to_the_limit():
  """Episodes begin after 0 to 30 frames, in an order that the seed decides."""

  def starts(seed, noops):
    env = make('breakout', seed, noops=noops)
    counts = []
    for _ in range(25):
      env.reset()
      counts.append(env._environment._ale.getEpisodeFrameNumber())
    return counts

  counts = starts(0, 30)
  assert min(counts) <= 3 and 27 <= max(counts) <= 30
  assert counts == starts(0, 30) != starts(1, 30)
  assert set(starts(0, 0)) == {0}


def test_sticky_actions_are_random_only_when_asked_for():
  """Without them the emulator ignores its seed; with them it does not."""
  plain = play(make('breakout', 0, noops=0), 60)
  np.testing.assert_array_equal(plain, play(make('breakout', 1, noops=0), 60))
  sticky = play(make('breakout', 0, noops=0, sticky_probability=0.25), 60)
  assert np.any(plain != sticky)
  same = play(make('breakout', 0, noops=0, sticky_probability=0.25), 60)
  np.testing.assert_array_equal(sticky, same)
  other = play(make('breakout', 1, noops=0, sticky_probability=0.25), 60)
  assert np.any(sticky != other)


def run_episode(env):
  """Fires and waits until the end; returns the steps and the end."""
  time_step, steps = env.step(NOOP), 0
  assert time_step.first()
  first = time_step.observation
  while not time_step.last():
    time_step = env.step(FIRE if steps % 2 else NOOP)
    steps += 1
  return steps, first, time_step


def test_end_of_the_game_is_terminal():
  """All five lives are one episode, and its end has discount 0."""
  env = make('breakout', noops=0)
  _, first, end = run_episode(env)
  assert end.discount == 0.0
  np.testing.assert_array_equal(run_episode(env)[1], first)


def test_lost_life_ends_the_episode_and_not_the_game():
  """Five episodes with discount 0 make one game, of as many steps."""
  whole, start, _ = run_episode(make('breakout', noops=0))
  env = make('breakout', noops=0, life_loss_ends=True)
  episodes = [run_episode(env) for _ in range(6)]
  assert all(end.discount == 0.0 for _, _, end in episodes)
  for (_, _, end), (_, first, _) in zip(episodes[:4], episodes[1:]):
    np.testing.assert_array_equal(end.observation, first)
  np.testing.assert_array_equal(episodes[5][1], start)
  # Our waiting starts anew with each life, and a step may be cut by a loss.
  assert abs(sum(steps for steps, _, _ in episodes[:5]) - whole) < 20


def test_reset_after_a_lost_life_goes_on_and_later_starts_anew():
  """The driver's reset is that of the episode; a second one is for the game."""
  env = make('breakout', noops=0, life_loss_ends=True)
  _, start, end = run_episode(env)
  np.testing.assert_array_equal(env.reset().observation, end.observation)
  np.testing.assert_array_equal(env.reset().observation, start)


def test_frame_limit_cuts_the_episode():
  """Half an hour of play is no reason to believe that nothing follows."""
  env = make('breakout', noops=0, max_frames=42)
  env.reset()
  kinds = [env.step(NOOP) for _ in range(11)]
  assert [k.step_type for k in kinds[-2:]] == [
      dm_env.StepType.MID,
      dm_env.StepType.LAST,
  ]
  assert kinds[-1].discount == 1.0
  assert env.step(NOOP).first()


def test_what_is_seen_and_done_can_be_chosen():
  """Gray, other sizes and the full set of actions are options away."""
  env = make('breakout')
  assert env.observation_spec().shape == (64, 64, 3)
  assert env.action_spec().num_values == 4
  env = make('breakout', grayscale=True, image_size=32, full_actions=True)
  assert env.reset().observation.shape == (32, 32, 1)
  assert env.action_spec().num_values == 18


def test_missing_rom_is_named(monkeypatch, tmp_path, capfd):
  """A folder of games without the game is one sentence, and no print."""
  monkeypatch.setenv('ALE_ROMS_DIR', str(tmp_path))
  with pytest.raises(environments.MissingSuiteError, match='atari/pong'):
    make('pong')
  assert capfd.readouterr() == ('', '')


@pytest.mark.parametrize('game', ['pong', 'tic_tac_toe_3d', 'atlantis2'])
def test_nothing_is_printed(game, capfd):
  """The emulator does not greet."""
  make(game).reset()
  assert capfd.readouterr() == ('', '')


def test_game_for_two_is_refused():
  """ALE would end the whole process over a game that it cannot play alone."""
  with pytest.raises(environments.UnknownTaskError, match='single player'):
    make('combat')


def test_every_game_that_ale_carries_loads():
  """All games for one take a step; the other four are for two."""
  names = [t for t in environments.list_tasks() if t.startswith('atari/')]
  carried = {f'atari/{name}' for name in ale_py.roms.get_all_rom_ids()}
  assert carried - set(names) == {
      f'atari/{name}' for name in ('combat', 'joust', 'maze_craze', 'warlords')
  }
  for name in names:
    env = suites.make(name, 0)
    env.reset()
    assert env.step(0).mid(), name
