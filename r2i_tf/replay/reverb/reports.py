"""What the collectors have done, on its way to the learner.

A collector reports now and then: its counts since its start, and the returns of
the episodes that it has finished since its last report. The learner reads each
report once. Counts are totals and reports are numbered, so that one that is
lost costs returns, but no counts, and one that comes twice, from a server's
checkpoint, counts once.
"""

import dataclasses
import json

import reverb

from r2i_tf.replay.reverb import connection
from r2i_tf.replay.reverb import tables

_AT_ONCE = 1_000


@dataclasses.dataclass(frozen=True)
class Report:
  """A report.

  Attributes:
    collector: A name that no other start of a collector has.
    number: Counts its reports, from 1.
    environment_steps: Transitions since its start.
    episodes: Episodes since its start.
    restarts: Environments restarted since its start.
    returns: Of the episodes finished since its last report.
  """

  collector: str
  number: int
  environment_steps: int
  episodes: int
  restarts: int
  returns: tuple[float, ...]


def push(client: reverb.Client, report: Report) -> None:
  """Sends a report.

  Args:
    client: Of the server.
    report: The report.

  Raises:
    reverb.ReverbError: It was not there in time.
  """
  text = json.dumps(dataclasses.asdict(report))
  connection.write_text(client, tables.REPORTS, text)


def take(client: reverb.Client) -> list[Report]:
  """Returns the reports that nobody has read yet, oldest first.

  Args:
    client: Of the server.
  """
  info = client.server_info(timeout=5)[tables.REPORTS]
  count = min(info.current_size, _AT_ONCE)
  taken: list[Report] = []
  if not count:
    return taken
  for sample in client.sample(tables.REPORTS, count, emit_timesteps=False):
    fields = json.loads(bytes(sample.data[0].tobytes()))
    returns = tuple(fields.pop('returns'))
    taken.append(Report(returns=returns, **fields))
  return taken
