"""How a run ends: its policies, their evaluation, its curve, its outcome."""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
import contextlib
import dataclasses
import os
import pathlib
import shutil
from typing import Optional

import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.environments import py_environment

from r2i_tf import errors
from r2i_tf import locks
from r2i_tf import run_config
from r2i_tf.record import learning_curve
from r2i_tf.record import outcome
from r2i_tf.record import records
from r2i_tf.training import episodes
from r2i_tf.training import evaluation
from r2i_tf.training import export
from r2i_tf.training import hosts as hosts_lib
from r2i_tf.training import interruption
from r2i_tf.training import parts as parts_lib
from r2i_tf.training import schedule
from r2i_tf.training import workdir as workdir_lib


@dataclasses.dataclass(frozen=True)
class Summary:
  """The outcome of a run.

  Attributes:
    stopped: Why it ended.
    environment_steps: Transitions over all starts.
    train_steps: Train steps over all starts.
    episodes: Episodes finished.
    mean_return: Mean return of the last 200 episodes; None before the first.
    minutes: Wall time over all starts.
    drawn: Evaluation of the policy that draws its actions, where the greedy one
      falls short of training; else None.
    evaluation: Of the greedy policy; None without one.
    policy: The greedy policy's directory; None if it was not exported.
    plot: The learning curve; None without finished episodes.
    workdir: Where everything is.
    failures: Sentences about what could not be written.
  """

  stopped: schedule.StopReason
  environment_steps: int
  train_steps: int
  episodes: int
  mean_return: Optional[float]
  minutes: float
  drawn: Optional[evaluation.Evaluation]
  evaluation: Optional[evaluation.Evaluation]
  policy: Optional[pathlib.Path]
  plot: Optional[pathlib.Path]
  workdir: pathlib.Path
  failures: tuple[str, ...] = ()


class Ending:
  """What a run leaves behind; with several hosts, the first leaves it."""

  def __init__(
      self,
      config: run_config.RunConfig,
      paths: workdir_lib.Workdir,
      parts: parts_lib.RunParts,
      agent: tf_agent.TFAgent,
      environment: py_environment.PyEnvironment,
      hosts: hosts_lib.Hosts,
      interrupted: interruption.Interruption,
      note: Callable[[str], None],
  ):
    """Writes nothing yet.

    Args:
      config: The run.
      paths: Its files.
      parts: Its parts, which the evaluation takes its environment from.
      agent: Whose policies are exported.
      environment: The agent's, for the specs.
      hosts: Those of the run.
      interrupted: Breaks off the evaluation.
      note: Shows a line.
    """
    self._config = config
    self._paths = paths
    self._parts = parts
    self._agent = agent
    self._environment = environment
    self._hosts = hosts
    self._interrupted = interrupted
    self._note = note

  def export(self) -> None:
    """Writes the policies as they are now.

    Raises:
      errors.RunError: They cannot be written.
    """
    directory = self._paths.policies
    try:
      export.export(
          self._agent,
          self._environment,
          self._config.task,
          self._config.environment,
          directory,
          self._config.deterministic_export,
      )
    except (OSError, tf.errors.OpError) as error:
      for path in directory.glob(f'.*.{os.getpid()}'):
        shutil.rmtree(path, ignore_errors=True)
      raise errors.RunError(
          f'the policies could not be written to {directory}:'
          f' {errors.first_line(error)}; when that is mended, the same command'
          ' exports them.'
      ) from error

  def try_export(self) -> None:
    """Exports the greedy policy as it is now and removes it again.

    For the start of a run, whose end would otherwise be the first to find that
    it cannot. Hosts but the first have nothing to try.

    Raises:
      errors.RunError: It cannot be exported, or not be written there.
    """
    if self._hosts.is_chief:
      export.try_export(
          self._agent,
          self._paths.policies,
          self._config.deterministic_export,
      )

  def finish(
      self,
      stopped: schedule.StopReason,
      counts: episodes.Counts,
      train_steps: int,
      seconds: float,
      has_episodes: bool,
      failures: Sequence[str],
  ) -> Summary:
    """Exports and evaluates, unless the run was asked to stop; plots.

    Where one of these cannot be written, the others are.

    Args:
      stopped: Why it ended.
      counts: Of the run.
      train_steps: Train steps over all starts.
      seconds: Wall time over all starts.
      has_episodes: Whether the record of this host has any.
      failures: Sentences about what could not be written before.

    Returns:
      The outcome.
    """
    told = list(failures)
    policy, result, drawn, plot = None, None, None, None
    mean_return = counts.mean_return(records.WINDOW)
    is_over = stopped != schedule.StopReason.INTERRUPTED
    if is_over and self._hosts.is_chief:
      self._note(f'exporting the policies to {self._paths.policies}')
      greedy = self._paths.policies / 'greedy'
      with _told(told, greedy / evaluation.RESULT_FILE):
        self.export()
        policy = greedy
        result = self._evaluate(greedy, self._config.evaluation_pictures)
      # The greedy policy takes the less likely action nowhere, and may so come
      # to where training never was. The other one acts as training did, and as
      # the published agent does when it is evaluated.
      if result and mean_return is not None and result.falls_short(mean_return):
        collect = self._paths.policies / 'collect'
        self._note(
            f'its mean return is {result.mean:.4g}, less than in training,'
            ' where actions are drawn'
        )
        with _told(told, collect / evaluation.RESULT_FILE):
          drawn = self._evaluate(collect, pictures=0)
    # A host that leaves would take those that are still busy with it.
    self._hosts.add([0])
    if has_episodes:
      with _told(told, self._paths.plots):
        plot = self._plot()
    # Last of all, and not where something is missing: who finds it has nothing
    # more to wait for.
    is_whole = is_over and not told and not self._interrupted.requested
    if is_whole and self._hosts.is_chief:
      with _told(told, self._paths.path / outcome.FILE):
        outcome.write(
            self._paths.path,
            outcome.Outcome(
                stopped=stopped.value,
                environment_steps=counts.environment_steps,
                train_steps=train_steps,
                episodes=counts.episodes,
                minutes=seconds / 60,
                parameters=self._parameters(),
            ),
        )
    return Summary(
        stopped=stopped,
        environment_steps=counts.environment_steps,
        train_steps=train_steps,
        episodes=counts.episodes,
        mean_return=mean_return,
        minutes=seconds / 60,
        drawn=drawn,
        evaluation=result,
        policy=policy,
        plot=plot,
        workdir=self._paths.path,
        failures=tuple(told),
    )

  def _parameters(self) -> int:
    return sum(v.shape.num_elements() for v in self._agent.trainable_variables)

  def _evaluate(
      self, policy: pathlib.Path, pictures: int
  ) -> Optional[evaluation.Evaluation]:
    """Returns episodes with an exported policy; None if there were none."""
    count = self._config.evaluation_episodes
    if not count:
      return None
    self._note(f'evaluating the {policy.name} policy for {count} episodes')
    try:
      return evaluation.evaluate(
          policy,
          count,
          max_steps=self._config.evaluation_steps,
          pictures=pictures,
          load=self._parts.load,
          stop=lambda: self._interrupted.requested,
          note=self._note,
      )
    except locks.LockedError as error:
      self._note(f'not evaluated here, since {error}')
      return None

  def _plot(self) -> pathlib.Path:
    path = self._paths.plots / 'learning_curve.png'
    learning_curve.plot({self._config.task: self._paths.metrics}, path)
    return path


@contextlib.contextmanager
def _told(failures: list[str], path: pathlib.Path) -> Iterator[None]:
  """Returns a context in which what the disk refuses becomes a sentence.

  Args:
    failures: Gets it.
    path: What is to be written.
  """
  try:
    yield
  except errors.RunError as error:
    failures.append(str(error))
  except OSError as error:
    failures.append(f'{path} cannot be written: {errors.first_line(error)}.')
