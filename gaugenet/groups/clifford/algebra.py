"""CliffordAlgebra: multivectors of R^{p,q} and their products."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet._caching import cached
from gaugenet.groups.clifford.blades import (
    MAX_DIM,
    blade_masks,
    blade_signs,
    product_sign,
    product_table,
)
from gaugenet.groups.clifford.xor_product import xor_product

_VERSOR_TOL = {torch.float64: 1e-9, torch.float32: 1e-4}
"""How far a ~a may be from a scalar, relative to the largest square of a component of a."""


@dataclass(frozen=True)
class CliffordAlgebra:
    r"""Cl(p, q): multivectors of R^{p,q}, arrays `(..., 2^n)` with n = p + q.

    The first p generators have e_i^2 = +1, the others -1. Blades are ordered by grade, then lexicographically: for
    n = 3 they are 1, e1, e2, e3, e12, e13, e23, e123. Products are differentiable, work in every floating-point
    precision, and have exact signs. Networks of multivectors: :cite:`ruhe2023clifford`.

    Args:
        p, q: numbers of generators of positive and of negative square; 1 <= p + q <= 5.

    Raises:
        ValueError: If p or q is negative or not an integer, or p + q is not between 1 and 5.

    Example:
        >>> import torch
        >>> from gaugenet.groups import CliffordAlgebra
        >>> algebra = CliffordAlgebra(3, 0)
        >>> e1, e2, e3 = algebra.vector(torch.eye(3))
        >>> torch.equal(algebra.geometric_product(e1, e2), algebra.blade(1, 2, dtype=torch.float32))
        True
        >>> algebra.geometric_product(e1, e1)[0].item()  # the scalar e1 e1 = 1
        1.0
        >>> torch.equal(algebra.sandwich(e1, e1 + e2), e2 - e1)  # the reflection in the plane orthogonal to e1
        True
    """

    p: int
    q: int = 0

    def __post_init__(self) -> None:
        counts = (self.p, self.q)
        if (
            any(isinstance(c, bool) or not isinstance(c, int) or c < 0 for c in counts)
            or not 1 <= sum(counts) <= MAX_DIM
        ):
            raise ValueError(
                f"Expected `p` and `q` to be non-negative integers with 1 <= p + q <= {MAX_DIM}, got {counts}."
            )

    # --- blades -------------------------------------------------------------------------------------------------

    @property
    def n(self) -> int:
        """Number of generators."""
        return self.p + self.q

    @property
    def dim(self) -> int:
        """Number of blades, 2^n."""
        return 1 << self.n

    @property
    def blades(self) -> tuple[tuple[int, ...], ...]:
        """Generators of each blade, counted from 1: `()`, `(1,)`, ..., `(1, 2)`, ..."""
        return tuple(tuple(e + 1 for e in range(self.n) if mask >> e & 1) for mask in blade_masks(self.n))

    @property
    def grades(self) -> tuple[int, ...]:
        """Grade of each blade."""
        return tuple(k for k in range(self.n + 1) for _ in range(math.comb(self.n, k)))

    def grade_slice(self, k: int) -> slice:
        """Return the positions of the blades of grade k.

        Raises:
            ValueError: If k is not a grade of the algebra.
        """
        self._check_grade(k)
        start = sum(math.comb(self.n, j) for j in range(k))
        return slice(start, start + math.comb(self.n, k))

    def blade(self, *generators: int, dtype: torch.dtype = torch.float64) -> Float[Tensor, "blades"]:
        """Return the product e_i e_j ... of generators (counted from 1), in the order given."""
        mask, sign = 0, 1
        for e in generators:
            if not 1 <= e <= self.n:
                raise ValueError(f"Expected generators between 1 and {self.n}, got {e}.")
            sign *= product_sign(mask, 1 << (e - 1), self.p)
            mask ^= 1 << (e - 1)
        out = torch.zeros(self.dim, dtype=dtype)
        out[blade_masks(self.n).index(mask)] = sign
        return out

    def scalar(self, s: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch blades"]:
        """Return the multivector s."""
        return self.from_grade(s.unsqueeze(-1), 0)

    def vector(self, v: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch blades"]:
        """Return the multivector sum_i v_i e_i."""
        return self.from_grade(v, 1)

    def from_grade(self, x: Float[Tensor, "*batch components"], k: int) -> Float[Tensor, "*batch blades"]:
        """Return the multivector whose part of grade k is `x`."""
        s = self.grade_slice(k)
        if x.dim() < 1 or x.shape[-1] != s.stop - s.start:
            raise ValueError(
                f"Expected {s.stop - s.start} components of grade {k} of {self} in the last dimension, "
                f"got shape {tuple(x.shape)}."
            )
        out = x.new_zeros(*x.shape[:-1], self.dim)
        out[..., s] = x
        return out

    def grade(self, a: Float[Tensor, "*batch blades"], k: int) -> Float[Tensor, "*batch components"]:
        """Return the components of grade k."""
        self.check(a)
        return a[..., self.grade_slice(k)]

    # --- products -----------------------------------------------------------------------------------------------

    def geometric_product(
        self, a: Float[Tensor, "*batch blades"], b: Float[Tensor, "*batch blades"]
    ) -> Float[Tensor, "*batch blades"]:
        """Return a b: associative, with v v = <v, v> for vectors."""
        return self._product(a, b, "geometric")

    def wedge(
        self, a: Float[Tensor, "*batch blades"], b: Float[Tensor, "*batch blades"]
    ) -> Float[Tensor, "*batch blades"]:
        """Return a ^ b: the part of grade r + s of the product of grades r and s."""
        return self._product(a, b, "wedge")

    def left_contraction(
        self, a: Float[Tensor, "*batch blades"], b: Float[Tensor, "*batch blades"]
    ) -> Float[Tensor, "*batch blades"]:
        """Return a _| b: the part of grade s - r of the product of grades r and s."""
        return self._product(a, b, "left")

    def right_contraction(
        self, a: Float[Tensor, "*batch blades"], b: Float[Tensor, "*batch blades"]
    ) -> Float[Tensor, "*batch blades"]:
        """Return a |_ b: the part of grade r - s of the product of grades r and s."""
        return self._product(a, b, "right")

    def inner(self, a: Float[Tensor, "*batch blades"], b: Float[Tensor, "*batch blades"]) -> Float[Tensor, "*batch"]:
        """Return <a, b>: the scalar part of ~a b, the inner product that O(p, q) preserves; blades are orthogonal."""
        self.check(a, "a")
        self.check(b, "b")
        return (a * b * self._signs("metric", a)).sum(-1)

    # --- involutions --------------------------------------------------------------------------------------------

    def reversion(self, a: Float[Tensor, "*batch blades"]) -> Float[Tensor, "*batch blades"]:
        """Return ~a: products in reverse order, (-1)^(k (k - 1) / 2) on grade k."""
        self.check(a)
        return a * self._signs("reversion", a)

    def grade_involution(self, a: Float[Tensor, "*batch blades"]) -> Float[Tensor, "*batch blades"]:
        """Return (-1)^k on grade k: what v -> -v does."""
        self.check(a)
        return a * self._signs("involution", a)

    def conjugation(self, a: Float[Tensor, "*batch blades"]) -> Float[Tensor, "*batch blades"]:
        """Return the Clifford conjugate: reversion and grade involution, (-1)^(k (k + 1) / 2) on grade k."""
        self.check(a)
        return a * self._signs("conjugation", a)

    def hodge_dual(self, a: Float[Tensor, "*batch blades"]) -> Float[Tensor, "*batch blades"]:
        """Return *a = ~a I with the pseudoscalar I = e_1...n: a ^ *b = <a, b> I for a and b of equal grade."""
        self.check(a)
        return (a * self._signs("hodge", a)).flip(-1)

    def inverse_hodge_dual(self, a: Float[Tensor, "*batch blades"]) -> Float[Tensor, "*batch blades"]:
        """Return the b with *b = a."""
        self.check(a)
        return a.flip(-1) * self._signs("hodge", a)

    # --- versors ------------------------------------------------------------------------------------------------

    def norm_squared(self, a: Float[Tensor, "*batch blades"]) -> Float[Tensor, "*batch"]:
        """Return <a, a>, the scalar part of ~a a: of either sign unless the algebra is Euclidean."""
        return self.inner(a, a)

    def norm(self, a: Float[Tensor, "*batch blades"]) -> Float[Tensor, "*batch"]:
        """Return sqrt |<a, a>|."""
        return self.norm_squared(a).abs().sqrt()

    def inverse(self, a: Float[Tensor, "*batch blades"]) -> Float[Tensor, "*batch blades"]:
        """Return a^-1 = ~a / (a ~a) of a versor, a product of vectors that are not light-like.

        Raises:
            ValueError: If a ~a is not a scalar, or is zero (checked outside compiled code).
        """
        return self.reversion(a) / self._versor_square(a)

    def normalize(self, a: Float[Tensor, "*batch blades"]) -> Float[Tensor, "*batch blades"]:
        """Return a / sqrt |a ~a| of a versor: then a ~a is 1 or -1.

        Raises:
            ValueError: If a ~a is not a scalar, or is zero (checked outside compiled code).
        """
        return a / self._versor_square(a).abs().sqrt()

    def sandwich(
        self, versor: Float[Tensor, "*batch blades"], x: Float[Tensor, "*batch blades"]
    ) -> Float[Tensor, "*batch blades"]:
        """Act on multivectors by the element of O(p, q) that a versor stands for.

        A vector v reflects in the hyperplane orthogonal to it; a product of vectors reflects in turn. On grade k that
        is the k-th exterior power: odd versors act as a x^ a^-1 with the grade involution x^, even ones as a x a^-1.

        Raises:
            ValueError: If `versor` is not a versor or mixes even and odd grades.
        """
        self.check(versor, "versor")
        odd = versor * (1 - self._signs("involution", versor)) / 2
        is_odd = (odd != 0).any(-1, keepdim=True)
        mixed = is_odd & (odd != versor).any(-1, keepdim=True)
        if not torch.compiler.is_compiling() and bool(mixed.any()):
            raise ValueError("Expected `versor` with blades of even grades only or of odd grades only, got both.")
        x = torch.where(is_odd, self.grade_involution(x), x)
        return self.geometric_product(self.geometric_product(versor, x), self.inverse(versor))

    def _versor_square(self, a: Tensor) -> Float[Tensor, "*batch 1"]:
        square = self.geometric_product(a, self.reversion(a))
        scalar = square[..., :1]
        if not torch.compiler.is_compiling():
            tol = _VERSOR_TOL.get(a.dtype, 5e-2)
            size = a.detach().square().amax(-1, keepdim=True)
            if bool((square[..., 1:].detach().abs() > tol * size).any()):
                raise ValueError(
                    f"Expected versors of {self} (products of vectors), got a multivector whose a ~a is not a scalar."
                )
            if bool((scalar.detach().abs() <= tol * size).any()):
                raise ValueError(
                    f"Expected versors of {self} that are not light-like, got one with a ~a = 0: it has no inverse and "
                    "no norm to divide by."
                )
        return scalar

    # --- checks and tables --------------------------------------------------------------------------------------

    def check(self, a: Tensor, name: str = "a") -> None:
        """Raise `ValueError` unless the last dimension of `a` has the blades of this algebra."""
        if a.dim() < 1 or a.shape[-1] != self.dim:
            raise ValueError(
                f"Expected `{name}` with the {self.dim} blades of {self} in the last dimension, "
                f"got shape {tuple(a.shape)}."
            )

    def _check_grade(self, k: int) -> None:
        if isinstance(k, bool) or not isinstance(k, int) or not 0 <= k <= self.n:
            raise ValueError(f"Expected a grade between 0 and {self.n} of {self}, got {k!r}.")

    def _product(self, a: Tensor, b: Tensor, product: str) -> Tensor:
        self.check(a, "a")
        self.check(b, "b")
        shape = torch.broadcast_shapes(a.shape, b.shape)
        dtype = torch.promote_types(a.dtype, b.dtype)
        table = coefficient_table(self.p, self.q, product, dtype, a.device)
        table = table.view(*table.shape, *[1] * (len(shape) - 1))
        first, second = (x.to(dtype).expand(shape).movedim(-1, 0).contiguous() for x in (a, b))
        return xor_product(first, second, table).movedim(0, -1)

    def _signs(self, which: str, like: Tensor) -> Float[Tensor, "blades"]:
        return sign_table(self.p, self.q, which, like.dtype, like.device)

    def __repr__(self) -> str:
        return f"CliffordAlgebra({self.p}, {self.q})"


@cached
def coefficient_table(
    p: int, q: int, product: str, dtype: torch.dtype, device: torch.device
) -> Float[Tensor, "blades blades"]:
    """Return `product_table` as a tensor; shared, not to be written to."""
    return torch.tensor(product_table(p, q, product), dtype=dtype, device=device)


@cached
def sign_table(p: int, q: int, which: str, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "blades"]:
    """Return `blade_signs` as a tensor; shared, not to be written to."""
    return torch.tensor(blade_signs(p, q, which), dtype=dtype, device=device)


__all__ = ["CliffordAlgebra", "coefficient_table", "sign_table"]
