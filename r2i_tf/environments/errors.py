"""What can be wrong with a task or an environment, each as one sentence."""


class UnknownTaskError(ValueError):
  """A task name that no suite has."""


class MissingSuiteError(ImportError):
  """A suite whose package is not installed."""


class UnsupportedSpecError(ValueError):
  """An observation, action or reward that R2I cannot take."""
