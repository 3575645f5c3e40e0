"""Notes on the health of a run: known failures, in words.

  History -> notes, each with its evidence and with what to change

A check is a pure function of the record and the configuration. It knows one of
the failures that docs/learning.md and docs/scalars.md describe, and is silent
where the record is too short to tell, or lacks what it asks for. The thresholds
lie between the runs of docs/learning.md that learned and those that did not.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Optional

import numpy as np

from r2i_tf.reports import history as history_lib
from r2i_tf.reports import signs


class Note(NamedTuple):
  """A failure that the record shows.

  Attributes:
    title: What it is.
    evidence: The numbers that show it.
    advice: What to change.
  """

  title: str
  evidence: str
  advice: str


def notes(run: history_lib.History) -> list[Note]:
  """Returns what is known to be wrong with a run.

  Args:
    run: Its history. Of another agent no more is known than of environments.
  """
  found = [check(run) for check in (CHECKS if run.is_r2i else (restarts,))]
  return [note for note in found if note is not None]


def refused_steps(run: history_lib.History) -> Optional[Note]:
  """Gradients that were not finite, again and again."""
  refused = run.series('train/refused')
  records = int((refused > 0).sum())
  if records < 2:
    return None
  taken = np.diff(run.series('train_steps'), prepend=0.0)
  count = int(round(float(np.nansum(refused * taken))))
  return Note(
      'Train steps were refused',
      f'In {records} of {len(refused)} records a gradient was not finite, in'
      f' about {max(count, records):,} train steps: nothing was learned from'
      ' them.',
      'Lower the learning rate, or mend the numbers that the environment gives'
      ' (NaN, infinity, or very large ones).',
  )


def restarts(run: history_lib.History) -> Optional[Note]:
  """Environments whose process crashed."""
  count = int(run.last.get('environment_restarts') or 0)
  if not count:
    return None
  return Note(
      'Environments crashed and were restarted',
      f'{count:,} restarts in {run.last.get("episodes", 0):,} episodes; each'
      ' cost its environment the episode.',
      "Look at the run's output for what they said. An environment that hangs"
      ' may need a larger pool.timeout_seconds.',
  )


def train_ratio(run: history_lib.History) -> Optional[Note]:
  """Fewer train steps than the environment steps ask for."""
  last, config = run.last, run.config
  steps, taken = last.get('environment_steps'), last.get('train_steps')
  if not steps or taken is None:
    return None
  replay = config['replay']
  batch = replay['batch_size'] * replay['sequence_length']
  due = (steps - config['prefill']) * config['train_ratio'] / batch
  # A record may fall between collecting and the training that it asks for.
  if due < 100 or taken >= 0.9 * due:
    return None
  return Note(
      'The train ratio is not kept',
      f'{steps:,} environment steps ask for {due:,.0f} train steps, at'
      f' train_ratio = {config["train_ratio"]:g}, and {taken:,} were taken:'
      f' {taken / due:.0%}.',
      'The run trains less than it says. After a change of hosts it waits for'
      ' the prefill again; with a replay server, use fewer collectors or a'
      ' faster learner.',
  )


def values_exploding(run: history_lib.History) -> Optional[Note]:
  """Values beyond anything that the episodes have paid."""
  _, values = run.points('critic/value')
  if len(values) < 3 or not run.last.get('episodes'):
    return None
  if np.isnan(values[-3:]).all() and np.isfinite(values).any():
    return Note(
        'Values are no longer finite',
        'critic/value is no number in the last records.',
        'Lower critic_optimizer.learning_rate, and look for the record in which'
        ' it began.',
    )
  returns = run.returns[np.isfinite(run.returns)]
  if not len(returns):
    return None
  # A time limit ends an episode, but not its value: of rewards that go on, the
  # discount lets 1 / (1 - discount) steps count.
  length = run.last['environment_steps'] / run.last['episodes']
  discount = run.config['agent']['behavior']['discount']
  horizon = 1 / max(1 - discount, 1e-6)
  largest = float(np.abs(returns).max()) * max(1.0, horizon / length)
  value = run.recent('critic/value', 3)
  if value is None or abs(value) <= 3 * max(largest, 1.0):
    return None
  return Note(
      'Values explode',
      f'The critic expects {value:.3g}, but no episode has paid more than'
      f' {np.abs(returns).max():.3g}, which allows for values of about'
      f' {largest:.3g}.',
      'Lower critic_optimizer.learning_rate, or'
      ' agent.behavior.discount. Look at world_model/reward_loss, too: a reward'
      ' that is imagined wrongly is summed over the horizon.',
  )


def nothing_foreseen(run: history_lib.History) -> Optional[Note]:
  """A forecast no better than standing still, with the KL at its free nats."""
  shown = signs.bad_forecast(run)
  free = run.recent('world_model/free_share', signs.LOOKS) or 0.0
  if shown is None or free < 0.5:
    return None
  return Note(
      'The KL is at its free nats, and nothing is foreseen',
      f'{shown} In {free:.0%} of the steps the KL is below'
      f' {_world_model(run)["dynamics_free_nats"]:g} free nats, where nothing'
      ' teaches the model its dynamics.',
      'Lower agent.world_model.dynamics_free_nats, as to 0.1.',
  )


def forecast(run: history_lib.History) -> Optional[Note]:
  """A forecast no better than standing still, though the KL is paid for."""
  shown = signs.bad_forecast(run)
  free = run.recent('world_model/free_share', signs.LOOKS) or 0.0
  if shown is None or free >= 0.5:
    return None
  return Note(
      'The forecast is no better than standing still',
      f'{shown} The KL is above its free nats, so the model is taught its'
      ' dynamics, and has not learned them.',
      'Give it more train steps (train_ratio), a larger model or a higher'
      ' world_model_optimizer.learning_rate; and check that the observations'
      ' hold what moves.',
  )


def untaught_dynamics(run: history_lib.History) -> Optional[Note]:
  """A control task in which hardly a step teaches the model its dynamics."""
  free = run.recent('world_model/free_share', signs.LOOKS)
  if (
      not run.is_continuous
      or not signs.is_long(run)
      or free is None
      or free < 0.7
  ):
    return None
  if signs.bad_forecast(run) is not None:
    return None  # Said already, with stronger evidence.
  nats = _world_model(run)['dynamics_free_nats']
  return Note(
      'Hardly anything teaches the model its dynamics',
      f'In {free:.0%} of the steps the KL is below {nats:g} free nats'
      ' (dynamics_free_nats), and the actor of a control task learns through'
      ' the imagined dynamics.',
      'Lower agent.world_model.dynamics_free_nats, as to 0.1: cartpole came'
      ' from 650 to 980 by that.',
  )


def entropy_gone(run: history_lib.History) -> Optional[Note]:
  """A policy that is certain although its returns have not risen."""
  largest = run.largest_entropy
  entropy = run.recent('actor/entropy', 5)
  if largest is None or entropy is None or not signs.is_long(run):
    return None
  if entropy > 0.15 * largest or signs.rise(run) > signs.RISEN:
    return None
  return Note(
      'The policy was certain too soon',
      f'Its entropy is {entropy:.2g} of {largest:.2g} nats, and the returns'
      f' have not risen ({signs.first_and_last(run)}). The world model sees'
      ' hardly anything but the actions that it takes, and cannot learn what'
      ' others would pay.',
      'Raise agent.behavior.entropy_scale, by a factor of three, and start'
      ' again.',
  )


def uniform_policy(run: history_lib.History) -> Optional[Note]:
  """A policy that chooses evenly while the reward loss stands still."""
  largest = run.largest_entropy
  entropy = run.recent('actor/entropy', 5)
  if largest is None or entropy is None or entropy < 0.97 * largest:
    return None
  return _plateau(
      run,
      'On a plateau, with a policy that chooses evenly',
      f' The entropy is {entropy:.3g} of {largest:.3g} nats: the actor knows no'
      ' action that pays more.',
      'Where the reward depends on a memory and an action together, even'
      ' actions hide both: lower agent.behavior.entropy_scale, or try another'
      ' seed. A world model with fewer latents, larger steps of the'
      ' discretisation or a higher learning rate leaves the plateau sooner.',
  )


def plateau(run: history_lib.History) -> Optional[Note]:
  """Returns and reward loss that stand still, with a policy that chooses."""
  known = (refused_steps, by_heart, entropy_gone, uniform_policy)
  if any(check(run) is not None for check in known):
    return None
  return _plateau(
      run,
      'On a plateau',
      '',
      'Compare the reward loss with that of sequences held out'
      f' ({HELD_OUT}). Where that is higher, the model knows its episodes by'
      ' heart: lower train_ratio, or give it more steps. Where it is not,'
      ' another seed tells bad luck from a recipe that does not fit.',
  )


def by_heart(run: history_lib.History) -> Optional[Note]:
  """Rewards predicted in training and not on held-out sequences."""
  means = run.recent_of((HELD_OUT, 'world_model/reward_loss'), signs.LOOKS)
  if means is None or not signs.is_long(run):
    return None
  held_out, trained = means
  trained = max(trained, _LEAST_LOSS)
  if held_out < 3 * trained:
    return None
  return Note(
      'The reward is learned by heart',
      f'The reward loss is {trained:.2g} nats on sequences that are trained on'
      f' and {held_out:.2g} on those held out, {held_out / trained:.1f} times'
      ' as much: the model recognises its episodes, and understands nothing.',
      'More different episodes for each train step: lower train_ratio, raise'
      ' prefill, or use a smaller model.',
  )


CHECKS: tuple[Callable[[history_lib.History], Optional[Note]], ...] = (
    refused_steps,
    values_exploding,
    train_ratio,
    restarts,
    nothing_foreseen,
    forecast,
    untaught_dynamics,
    by_heart,
    entropy_gone,
    uniform_policy,
    plateau,
)
# Of less than so many nats a loss says nothing.
_LEAST_LOSS = 1e-6
# The reward loss on sequences that are never trained on.
HELD_OUT = 'held_out/reward_loss'


def _world_model(run: history_lib.History) -> Any:
  return run.config['agent']['world_model']


def _plateau(
    run: history_lib.History, title: str, evidence: str, advice: str
) -> Optional[Note]:
  """Returns a note where neither returns nor reward loss have moved.

  Args:
    run: The run.
    title: Of the note.
    evidence: What comes behind the evidence of a plateau.
    advice: What to change.
  """
  if not signs.is_long(run) or signs.rise(run) > signs.RISEN:
    return None
  if np.ptp(np.concatenate(signs.ends(run))) == 0:
    return None  # Every episode pays the same: nothing is known to be missed.
  asked = run.config['stop_at_return']
  if asked is not None and (run.last.get('mean_return_200') or 0.0) >= asked:
    return None
  loss = run.series('world_model/reward_loss')
  loss = loss[np.isfinite(loss)]
  third = len(loss) // 3
  if not third:
    return None
  middle, end = loss[third : 2 * third].mean(), loss[-third:].mean()
  if end < 0.85 * middle or end < 1e-3:
    return None  # It still falls, or there is nothing left to fall.
  return Note(
      title,
      f'The returns have not risen: {signs.first_and_last(run)}, with the'
      f' reward loss at {middle:.3g} in the middle of the run and {end:.3g} at'
      f' its end.{evidence}',
      advice,
  )
