"""Imports Gym once, without the notice that it prints on standard error.

TF-Agents imports Gym 0.23 and needs that version, so its advice to move on is
of no use to the reader of a training log. An import that fails still says so.
"""

import contextlib
import io
import warnings

with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
  warnings.simplefilter('ignore', DeprecationWarning)
  import gym  # noqa: F401
