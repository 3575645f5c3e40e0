"""The flags --lengths and --tokens, of benchmarks over the sequence length."""

from collections.abc import Sequence

from absl import flags

from r2i_tf import errors

LENGTHS = flags.DEFINE_list('lengths', ['64', '256', '1024'], 'Of sequences.')
TOKENS = flags.DEFINE_integer('tokens', 4096, 'Steps in a batch.')


def check(lengths: Sequence[int], tokens: int) -> None:
  """Refuses lengths that make no batches of so many steps.

  Args:
    lengths: Of the sequences.
    tokens: Steps in a batch.

  Raises:
    errors.RunError: A length does not divide `tokens`.
  """
  for length in lengths:
    if length < 2 or tokens % length:
      raise errors.RunError(
          f'--lengths has {length}; a length is at least 2 and divides --tokens'
          f' ({tokens}).'
      )
