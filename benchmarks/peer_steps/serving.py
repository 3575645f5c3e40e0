"""A child's side of timing in turn: it takes steps when it is told to.

It says first, in a line of JSON, that it is ready: its facts, or of a run the
train steps it has taken. Then each line that it reads is a number of steps, and
when these are taken it says how many train steps it has taken in all. At the
end of its input it ends. Only the standard library: each peer has a Python of
its own.
"""

from collections.abc import Callable
from collections.abc import Mapping
import json
import os
import sys
from typing import Any, Optional


class Channel:
  """The pipes to the parent; to be made before anything is printed."""

  def __init__(self):
    # What the peers print goes where their errors go: answers stand alone.
    self._answers = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)

  def say(self, answer: Any) -> None:
    """Sends something that JSON has."""
    self._answers.write(json.dumps(answer) + '\n')
    self._answers.flush()

  def asked(self) -> Optional[int]:
    """Waits for the next number of steps; None when there will be none."""
    line = sys.stdin.readline()
    return int(line) if line else None


def serve(
    channel: Channel, facts: Mapping[str, Any], train: Callable[[], Any]
) -> None:
  """Takes train steps until the parent has enough.

  Args:
    channel: To the parent.
    facts: What the child is.
    train: Takes one train step, and returns when it is done.
  """
  channel.say(facts)
  taken = 0
  while True:
    count = channel.asked()
    if count is None:
      return
    for _ in range(count):
      train()
    taken += count
    channel.say(taken)


class Gate:
  """Holds a run that another program conducts before its environment steps.

  The run is not changed for it: it waits inside of its environment, when the
  steps that were granted, and what it trains for them, are done.
  """

  def __init__(self, channel: Channel, free: int, trained: Callable[[], int]):
    """Makes one for all environments of a run together.

    Args:
      channel: To the parent.
      free: Steps that are granted before anything is said.
      trained: How many train steps the run has taken.
    """
    self._channel = channel
    self._left = free
    self._trained = trained

  def step(self) -> None:
    """Returns when one more environment step may be taken."""
    if not self._left:
      self._channel.say(self._trained())
      count = self._channel.asked()
      if count is None:
        os._exit(0)  # What the run would save at its end nobody reads.
      self._left = count
    self._left -= 1


def register(library: Any, gate: Gate) -> str:
  """Registers CartPole with a gate before it, and returns its id.

  Args:
    library: The module `gymnasium`, or `gym`, whose CartPole is the same.
    gate: Passed before each step.
  """

  class GatedPole(library.Wrapper):
    """CartPole whose steps wait for the gate; resets are free."""

    def step(self, action: Any) -> Any:
      gate.step()
      return self.env.step(action)

  name = 'GatedPole-v1'
  library.register(
      id=name,
      entry_point=lambda **keywords: GatedPole(
          library.make('CartPole-v1', **keywords)
      ),
  )
  return name
