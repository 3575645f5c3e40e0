"""One evaluation of a policy at a time: all write the same file beside it."""

from collections.abc import Callable
import functools
import pathlib
from typing import Any, TypeVar, cast

from r2i_tf import locks

F = TypeVar('F', bound=Callable[..., Any])


def one_at_a_time(evaluate: F) -> F:
  """Has a function refuse a policy that another process is evaluating.

  Args:
    evaluate: Its first argument is the directory of the policy.

  Returns:
    The function, which also raises `locks.LockedError`.
  """

  @functools.wraps(evaluate)
  def in_turn(
      policy_directory: pathlib.Path, *arguments: Any, **options: Any
  ) -> Any:
    if not policy_directory.is_dir():
      return evaluate(policy_directory, *arguments, **options)  # Which says so.
    with evaluator(policy_directory):
      return evaluate(policy_directory, *arguments, **options)

  return cast(F, in_turn)


def evaluator(policy_directory: pathlib.Path) -> locks.Lock:
  """Returns the lock of whoever evaluates a policy.

  Args:
    policy_directory: Its directory.
  """
  return locks.Lock(
      policy_directory / '.evaluation.lock',
      f'the policy in {policy_directory} is being evaluated in',
      'wait for that, or stop it',
  )


def follower(policy_directory: pathlib.Path) -> locks.Lock:
  """Returns the lock of whoever evaluates each policy that is put in a place.

  Not in that directory, which an export replaces as a whole.

  Args:
    policy_directory: The place.
  """
  return locks.Lock(
      policy_directory.with_name(f'.{policy_directory.name}.follower.lock'),
      f'the policies in {policy_directory} are followed in',
      'stop that first',
  )
