"""The initial eigenvalues and eigenvectors of a state-space layer.

HiPPO-LegS (arXiv 2008.07669) is the matrix whose state holds the Legendre
coefficients of everything seen so far. It is not normal, so it has no
well-conditioned eigenbasis; it is the sum of a normal matrix and one of rank
one, and S4 (arXiv 2111.00396) found that the normal part alone remembers as
well. S5 (arXiv 2208.04933, section 4.3) starts its diagonal layer from the
eigenvalues of that part, several copies of it in blocks, and draws B and C in
the original basis before carrying them into the eigenbasis.

`eigendecomposition` gives the numbers, `block_diagonal` lays the copies out,
and the two initialisers draw B and C. `low_rank_form` is HiPPO-LegS itself, as
its normal part and what has rank one.
"""

from collections.abc import Sequence
from typing import Any, Optional

import numpy as np
import tensorflow as tf


def normal_part(size: int) -> np.ndarray:
  """The normal part of HiPPO-LegS, S = A + p p^T with p_n = sqrt(n + 1/2).

  A_nk = -sqrt(2n + 1) sqrt(2k + 1) below the diagonal, -(n + 1) on it and 0
  above it. S is -1/2 on the diagonal and skew-symmetric elsewhere.

  Args:
    size: N, at least 1.

  Returns:
    S, float64 [N, N].

  Raises:
    ValueError: `size` is below 1.
  """
  if size < 1:
    raise ValueError(f'size is {size}; it must be at least 1.')
  root = np.sqrt(2.0 * np.arange(size) + 1.0)
  half = 0.5 * np.outer(root, root)
  return np.triu(half, 1) - np.tril(half, -1) - 0.5 * np.eye(size)


def eigendecomposition(size: int) -> tuple[np.ndarray, np.ndarray]:
  """Eigenvalues and eigenvectors of the normal part: S V = V diag(lambda).

  S + I/2 is skew-symmetric, so -i (S + I/2) is Hermitian: its solver gives
  real numbers w with lambda = -1/2 + i w, and a unitary V.

  Args:
    size: N, at least 1.

  Returns:
    lambda, complex128 [N], in ascending order of the imaginary part, and V,
    complex128 [N, N], one eigenvector a column.

  Raises:
    ValueError: `size` is below 1.
  """
  skew = normal_part(size) + 0.5 * np.eye(size)
  imaginary, vectors = np.linalg.eigh(-1j * skew)
  return -0.5 + 1j * imaginary, vectors


def block_diagonal(
    state_size: int, blocks: int, conjugate_symmetry: bool = False
) -> tuple[np.ndarray, np.ndarray]:
  """The eigendecomposition of `blocks` equal copies along the diagonal.

  With conjugate symmetry a block has twice as many eigenvalues as it keeps:
  they come in conjugate pairs, and of each pair the one with the negative
  imaginary part stays.

  Args:
    state_size: P, the number of eigenvalues kept. A multiple of `blocks`.
    blocks: How many copies.
    conjugate_symmetry: Whether one of each conjugate pair is kept.

  Returns:
    lambda, complex128 [P], and V, complex128 [Q, P], where Q is P, or 2 P with
    conjugate symmetry.

  Raises:
    ValueError: `state_size` is not a positive multiple of `blocks`.
  """
  if blocks < 1 or state_size < 1 or state_size % blocks:
    raise ValueError(
        f'state_size is {state_size} and blocks is {blocks}; state_size must'
        ' be a positive multiple of blocks.'
    )
  kept = state_size // blocks
  size = 2 * kept if conjugate_symmetry else kept
  eigenvalues, vectors = eigendecomposition(size)
  return (
      np.tile(eigenvalues[:kept], blocks),
      np.kron(np.eye(blocks), vectors[:, :kept]),
  )


def low_rank_form(
    size: int, conjugate_symmetry: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """HiPPO-LegS in the eigenbasis of its normal part (arXiv 2111.00396, C.1).

  A = V (diag(lambda) - p p^H) V^H and B = V b, where in the original basis
  p_n = sqrt(n + 1/2) and B_n = sqrt(2n + 1).

  Args:
    size: N, the number of eigenvalues kept.
    conjugate_symmetry: Whether one of each conjugate pair is kept, of 2 N.

  Returns:
    lambda, p and b, complex128 [N] each.

  Raises:
    ValueError: `size` is below 1.
  """
  eigenvalues, vectors = block_diagonal(size, 1, conjugate_symmetry)
  root = np.sqrt(2.0 * np.arange(len(vectors)) + 1.0)
  b = vectors.conj().T @ root
  return eigenvalues, b / np.sqrt(2.0), b


class InputMatrixInitializer(tf.keras.initializers.Initializer):
  """Draws B in the eigenbasis, V^H B_0, as [P, H, 2].

  B_0 is real [Q, H], truncated normal of variance 1 / Q (the LeCun rule as S5
  applies it to B).
  """

  def __init__(self, vectors: np.ndarray, seed: Optional[int] = None):
    """Creates the initialiser.

    Args:
      vectors: V, complex128 [Q, P], from `block_diagonal`.
      seed: Of the draw; None takes Keras' own.

    Raises:
      ValueError: `vectors` is not a matrix.
    """
    self._vectors = _checked(vectors)
    self._draw = _truncated_normal(vectors.shape[0], seed)

  def __call__(
      self,
      shape: Sequence[int],
      dtype: Optional[tf.DType] = None,
      **kwargs: Any,
  ) -> tf.Tensor:
    """Returns B for `shape`, which must be [P, H, 2]."""
    rows, columns = self._vectors.shape
    _check_shape(shape, [columns, None, 2])
    drawn = tf.cast(self._draw([rows, shape[1]]), tf.complex128)
    matrix = tf.matmul(self._vectors, drawn, adjoint_a=True)
    return _to_pairs(matrix, dtype)


class OutputMatrixInitializer(tf.keras.initializers.Initializer):
  """Draws C in the eigenbasis, C_0 V, as [H, P, 2].

  C_0 is complex [H, Q], its real and its imaginary part each truncated normal
  of variance 1 / Q: the LeCun rule for the Q numbers that make one output.

  The published R2I counts H Q numbers, which makes the share of memory in an
  output sqrt(H) times smaller, next to D u of the size of the input. A small
  model learned to use its memory a little sooner by the rule used here
  (docs/learning.md).
  """

  def __init__(self, vectors: np.ndarray, seed: Optional[int] = None):
    """Creates the initialiser.

    Args:
      vectors: V, complex128 [Q, P], from `block_diagonal`.
      seed: Of the draw; None takes Keras' own.

    Raises:
      ValueError: `vectors` is not a matrix.
    """
    self._vectors = _checked(vectors)
    self._seed = seed

  def __call__(
      self,
      shape: Sequence[int],
      dtype: Optional[tf.DType] = None,
      **kwargs: Any,
  ) -> tf.Tensor:
    """Returns C for `shape`, which must be [H, P, 2]."""
    rows, columns = self._vectors.shape
    _check_shape(shape, [None, columns, 2])
    draw = _truncated_normal(rows, self._seed)
    drawn = tf.cast(draw([shape[0], rows, 2]), tf.float64)
    drawn = tf.complex(drawn[..., 0], drawn[..., 1])
    return _to_pairs(tf.matmul(drawn, self._vectors), dtype)


def _truncated_normal(
    fan_in: int, seed: Optional[int]
) -> tf.keras.initializers.Initializer:
  # Cut off at two standard deviations a unit normal has deviation 0.8796.
  return tf.keras.initializers.TruncatedNormal(
      stddev=fan_in**-0.5 / 0.87962566, seed=seed
  )


def _checked(vectors: np.ndarray) -> np.ndarray:
  if vectors.ndim != 2:
    raise ValueError(f'vectors has shape {vectors.shape}; it must be [Q, P].')
  return vectors


def _check_shape(
    shape: Sequence[int], expected: Sequence[Optional[int]]
) -> None:
  if not tf.TensorShape(shape).is_compatible_with(expected):
    raise ValueError(
        f'the variable has shape {tuple(shape)}; it must be'
        f' {tf.TensorShape(expected)}.'
    )


def _to_pairs(matrix: tf.Tensor, dtype: Optional[tf.DType]) -> tf.Tensor:
  pairs = tf.stack([tf.math.real(matrix), tf.math.imag(matrix)], axis=-1)
  return tf.cast(pairs, dtype or tf.float32)
