"""The arithmetic of sequences, strides and the rate limiter."""

import pytest

pytest.importorskip('reverb')

from r2i_tf import errors  # noqa: E402
from r2i_tf.replay.reverb import tables  # noqa: E402


def _of(**changes):
  fields = {
      'sequence_length': 1024,
      'batch_size': 4,
      'capacity': 100_000,
      'prefill': 4_096,
      'train_ratio': 64.0,
  }
  return tables.Settings.of(**{**fields, **changes})


@pytest.mark.parametrize(
    'length, stride, chunk',
    [(2, 1, 1), (8, 2, 2), (64, 16, 16), (256, 32, 32), (1024, 128, 128)],
)
def test_the_default_stride_is_an_eighth_or_16(length, stride, chunk):
  """A chunk divides the stride, and that the sequence: no step comes twice."""
  assert tables.default_stride(length) == stride
  assert _of(sequence_length=length).chunk_length == chunk


@pytest.mark.parametrize('length', [7, 50, 96, 1000, 4096])
def test_any_length_has_a_stride(length):
  """It divides the length."""
  assert length % tables.default_stride(length) == 0


def test_the_ratio_is_that_of_replayed_to_collected_steps():
  """Samples of L steps for an insert of each S steps."""
  settings = _of(stride=256)
  assert settings.samples_per_insert * 1024 / 256 == pytest.approx(64.0)
  assert settings.capacity * 256 <= 100_000


def test_a_prefill_above_the_capacity_is_refused():
  """Reverb would take it, and wait for ever."""
  with pytest.raises(errors.RunError, match='training would never begin'):
    _of(prefill=200_000)


@pytest.mark.parametrize('ratio', [0.01, 1.0, 4096.0])
def test_reverb_takes_the_tolerance_of_any_ratio(ratio):
  """One that it calls too small could block both sides for good."""
  from tests.replay.reverb import servers

  assert len(tables.create(_of(train_ratio=ratio), servers.SPEC)) == 4
