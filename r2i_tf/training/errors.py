"""The error that a person who starts a run can act on."""


class RunError(Exception):
  """A run that cannot start or go on, explained in one sentence."""
