"""Tests of r2i_tf.ssm.hippo."""

import numpy as np
import pytest

from r2i_tf.ssm import hippo
from tests import golden
from tests.ssm import reference


@pytest.mark.parametrize('size', [4, 8, 16, 64])
def test_eigenvalues_are_the_published_ones(size):
  """A layer starts with the memory of the published implementation."""
  expected = golden.load(f'hippo_{size}')
  eigenvalues, _ = hippo.eigendecomposition(size)
  np.testing.assert_allclose(eigenvalues.real, expected['lambda_re'], atol=1e-4)
  # Float32 holds 1,303 to 1e-4 only.
  np.testing.assert_allclose(
      eigenvalues.imag, expected['lambda_im'], atol=1e-4, rtol=1e-6
  )


@pytest.mark.parametrize('size', [1, 5, 64])
def test_eigenvectors_diagonalise_the_normal_part(size):
  """V is unitary and S V = V diag(lambda), where S is LegS plus p p^T."""
  n, k = np.mgrid[:size, :size]
  root = np.sqrt((2 * n + 1) * (2 * k + 1))
  legs = np.where(n > k, -root, 0.0) - np.diag(np.arange(size) + 1.0)
  p = np.sqrt(np.arange(size) + 0.5)
  eigenvalues, vectors = hippo.eigendecomposition(size)
  np.testing.assert_allclose(
      (legs + np.outer(p, p)) @ vectors, vectors * eigenvalues, atol=1e-9
  )
  np.testing.assert_allclose(
      vectors.conj().T @ vectors, np.eye(size), atol=1e-12
  )


@pytest.mark.parametrize('conjugate_symmetry', [False, True])
def test_blocks_repeat(conjugate_symmetry):
  """Blocks are equal and do not mix; a conjugate pair is kept once."""
  eigenvalues, vectors = hippo.block_diagonal(12, 3, conjugate_symmetry)
  size = 8 if conjugate_symmetry else 4
  whole, whole_vectors = hippo.eigendecomposition(size)
  np.testing.assert_array_equal(eigenvalues, np.tile(whole[:4], 3))
  assert vectors.shape == (3 * size, 12)
  np.testing.assert_array_equal(
      vectors[size : 2 * size, 4:8], whole_vectors[:, :4]
  )
  assert np.count_nonzero(vectors) <= 12 * size
  if conjugate_symmetry:
    assert np.all(eigenvalues.imag < 0)


@pytest.mark.parametrize('state_size, blocks', [(10, 3), (0, 1), (4, 0)])
def test_bad_blocks(state_size, blocks):
  """A state that cannot be cut into equal blocks is refused by name."""
  with pytest.raises(ValueError, match='positive multiple of blocks'):
    hippo.block_diagonal(state_size, blocks)


def test_initialisers_draw_in_the_original_basis():
  """V carries B back to a real matrix, and the scales are the stated ones."""
  _, vectors = hippo.block_diagonal(64, 2)
  b = hippo.InputMatrixInitializer(vectors, seed=1)([64, 48, 2])
  c = hippo.OutputMatrixInitializer(vectors, seed=2)([48, 64, 2])
  original = vectors @ reference.to_complex(b)
  np.testing.assert_allclose(original.imag, 0.0, atol=1e-5)
  np.testing.assert_allclose(np.std(original), 64**-0.5, rtol=0.1)
  np.testing.assert_allclose(np.std(c), 64**-0.5, rtol=0.1)


def test_initialisers_refuse_another_shape():
  """A variable that does not fit the eigenbasis is refused."""
  _, vectors = hippo.block_diagonal(4, 1)
  with pytest.raises(ValueError, match='the variable has shape'):
    hippo.InputMatrixInitializer(vectors)([5, 3, 2])
  with pytest.raises(ValueError, match='the variable has shape'):
    hippo.OutputMatrixInitializer(vectors)([3, 5, 2])
  with pytest.raises(ValueError, match='the variable has shape'):
    hippo.InputMatrixInitializer(vectors)([4])
  with pytest.raises(ValueError, match='vectors has shape'):
    hippo.InputMatrixInitializer(vectors[0])
