"""U(1), U(N) and SU(N): groups of complex matrices, which act on an internal fibre."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Bool, Complex, Float
from torch import Tensor

from gaugenet._validation import positive
from gaugenet.groups.families import unitary_algebra as algebra
from gaugenet.groups.families.tensor_powers import TensorPowerGroup
from gaugenet.groups.group import tolerance
from gaugenet.groups.representations.base import Representation

_COMPLEX = {torch.float64: torch.complex128, torch.float32: torch.complex64}
"""Precision of group elements by the precision of real features."""


class UnitaryGroup(TensorPowerGroup):
    r"""Unitary N x N matrices: elements are complex, representations are real.

    Features of the library are real tensors. A complex representation on C^n is given by its *real form* on R^2n,
    real parts first, then imaginary parts: `rho(g) = [[Re g, -Im g], [Im g, Re g]]`. So every layer, kernel and engine
    works for these fields without a second, complex code path. Real forms of unitary matrices are orthogonal, as all
    representations of compact groups are here. Complex weights a + i b need no special case: they are the
    intertwiners between real forms (`rho.type` is `complex`). The fundamental of SU(2) is of `quaternionic` type and
    has more intertwiners. `complex_fields` and `real_fields` convert between both forms.

    Representations by name:

    - `fundamental`: g itself on C^N.
    - `conjugate`: its complex conjugate. As real forms both are equivalent; only the meaning of components differs.
    - `adjoint`: X -> g X g^+ on traceless anti-Hermitian X, by coefficients in `lie_algebra()`; real, N^2 - 1.
    - `matrix`: W -> g W g^+ on complex N x N matrices, row-major, for lattice networks (:cite:`favoni2022lattice`);
      2 N^2 real numbers.
    - `det`: the determinant, a phase.
    - `2.1`, ...: further irreps, by the lowest tensor power in which they occur; `(fundamental⊗adjoint)`: products.

    The group acts on an internal fibre, not on tangent vectors, so that there is no action on directions.

    Example:
        >>> from gaugenet.groups import SU
        >>> [(name, SU(3).irrep(name).dim) for name in ("fundamental", "adjoint", "matrix")]
        [('fundamental', 6), ('adjoint', 8), ('matrix', 18)]
        >>> SU(3).irrep("fundamental").type, SU(2).irrep("fundamental").type
        ('complex', 'quaternionic')
    """

    special: bool
    orientation_preserving = True
    known_orders = 1

    def __init__(self, n: int) -> None:
        self.d = positive("n", n)

    # --- elements -----------------------------------------------------------------------------------------------

    def contains(self, g: Complex[Tensor, "*batch n n"], atol: float | None = None) -> Bool[Tensor, "*batch"]:
        return self.distance(g) <= (tolerance(g) if atol is None else atol)

    def distance(self, g: Complex[Tensor, "*batch n n"]) -> Float[Tensor, "*batch"]:
        """Return how far each matrix is from the group.

        The largest entry of |g^+ g - 1|, for SU(N) also |det g - 1|; infinite if the matrix is not finite.

        Raises:
            ValueError: If matrices have another size.
        """
        self._check("g", g, real=True)
        eye = torch.eye(self.d, dtype=g.dtype, device=g.device)
        error = (g.mH @ g - eye).abs().amax((-2, -1))
        if self.special:
            error = torch.maximum(error, (torch.linalg.det(g) - 1).abs())
        return torch.where(error.isfinite(), error, torch.full_like(error, torch.inf))

    def random_element(
        self,
        size: tuple[int, ...] | int = (),
        *,
        generator: torch.Generator | None = None,
        dtype: torch.dtype = torch.float64,
    ) -> Complex[Tensor, "*size n n"]:
        """Return Haar-distributed elements, complex, in the precision of `dtype`.

        The unitary factor of a complex normal matrix :cite:`mezzadri2007how`. Dividing a fixed root of the determinant
        out of it commutes with the multiplication by elements of SU(N), so it gives the Haar measure of SU(N).
        """
        if dtype not in (*_COMPLEX, *_COMPLEX.values()):
            raise ValueError(f"Expected `dtype` in single or double precision for {self.name}, got {dtype}.")
        size = (size,) if isinstance(size, int) else size
        parts = torch.randn(*size, self.d, self.d, 2, generator=generator, dtype=torch.float64)
        q, r = torch.linalg.qr(torch.view_as_complex(parts))
        diagonal = r.diagonal(dim1=-2, dim2=-1)
        g = q * (diagonal / diagonal.abs())[..., None, :]
        return (_divide_phase(g) if self.special else g).to(_COMPLEX.get(dtype, dtype))

    def project(self, m: Complex[Tensor, "*batch n n"]) -> Complex[Tensor, "*batch n n"]:
        """Return elements of the group near `m`; elements of the group stay as they are.

        The result is the unitary polar factor, which is the nearest unitary matrix. For SU(N) it is divided by the
        N-th root of its determinant that is nearest to one.

        Raises:
            ValueError: If a matrix is not finite, or singular: it has no unique nearest unitary matrix.
        """
        self._check("m", m, finite=True)
        left, values, right = torch.linalg.svd(m)
        if bool((values[..., -1] <= 1e-12 * values[..., 0]).any()) or not bool(values.isfinite().all()):
            raise ValueError(f"Expected invertible, finite matrices to project on {self.name}, got a singular one.")
        g = left @ right
        return _divide_phase(g) if self.special else g

    def exp(self, x: Complex[Tensor, "*batch n n"]) -> Complex[Tensor, "*batch n n"]:
        """Return the exponential of anti-Hermitian matrices.

        Raises:
            ValueError: If matrices are not complex, or have another size.
        """
        self._check("x", x)
        result: Tensor = torch.linalg.matrix_exp(x.contiguous())  # it does not accept every stride
        return result

    def log(self, g: Complex[Tensor, "*batch n n"]) -> Complex[Tensor, "*batch n n"]:
        """Return x in the Lie algebra with exp(x) = g and eigenvalues i t, |t| <= pi.

        For SU(N) the sum of t is zero, so that the largest |t| may exceed pi. Not differentiable where eigenvalues
        coincide.

        Raises:
            ValueError: If a matrix is not in the group.
        """
        self._check("g", g, finite=True)
        if g.numel() and not bool(self.contains(g).all()):
            worst = self.distance(g).max().item()
            raise ValueError(
                f"Expected elements of {self.name}, got one that is {worst:.2g} outside: use `group.project(g)`."
            )
        return algebra.logarithm(g, traceless=self.special)

    def _check(self, name: str, m: Tensor, *, finite: bool = False, real: bool = False) -> None:
        """Raise `ValueError` unless `m` are complex (or real) N x N matrices, finite if requested."""
        n = self.d
        if not isinstance(m, Tensor) or tuple(m.shape[-2:]) != (n, n):
            got = tuple(m.shape) if isinstance(m, Tensor) else type(m).__name__
            raise ValueError(f"Expected `{name}` of shape (..., {n}, {n}) for {self.name}, got {got}.")
        if m.dtype not in _COMPLEX.values() and not (real and m.dtype in _COMPLEX):
            raise ValueError(
                f"Expected complex matrices `{name}` for {self.name}, got {m.dtype}: pass "
                f"`{name}.to(torch.complex128)`."
            )
        if finite and not bool(torch.view_as_real(m.detach().resolve_conj()).isfinite().all()):
            raise ValueError(
                f"Expected invertible, finite matrices `{name}` for {self.name}, got NaN or infinite ones."
            )

    def identity(self, dtype: torch.dtype = torch.float64) -> Complex[Tensor, "n n"]:
        return torch.eye(self.d, dtype=_COMPLEX.get(dtype, dtype))

    def generators(self) -> Complex[Tensor, "count n n"]:
        return torch.zeros(0, self.d, self.d, dtype=torch.complex128)

    def lie_algebra(self) -> Complex[Tensor, "dim n n"]:
        """Return a basis T_a of the anti-Hermitian (SU: traceless) matrices with -2 tr(T_a T_b) = delta_ab.

        T_a = i lambda_a / 2 with the generalized Gell-Mann matrices; Pauli matrices for N = 2.
        """
        return algebra.basis(self.d, traceless=self.special)

    def algebra_part(self, m: Complex[Tensor, "*batch n n"]) -> Complex[Tensor, "*batch n n"]:
        """Return the orthogonal projection of matrices on the Lie algebra: (m - m^+) / 2, of SU(N) without trace."""
        return algebra.anti_hermitian(m, traceless=self.special)

    # --- representations ----------------------------------------------------------------------------------------

    def irrep(self, label: int | str) -> Representation:
        make = self._makers().get(str(label).strip())
        return make() if make else super().irrep(label)

    def _makers(self) -> dict[str, Callable[[], Representation]]:
        return {
            "0": self.trivial,
            "1": self._faithful,
            "fundamental": self._faithful,
            "conjugate": lambda: _real_form(self, "conjugate", self.d, torch.conj),
            "matrix": lambda: _real_form(self, "matrix", self.d**2, _conjugation),
            "adjoint": lambda: Representation(self, "adjoint", self.d**2 - 1, self._adjoint, order=2),
            "det": self.trivial if self.special else lambda: _real_form(self, "det", 1, _determinant, order=self.d),
        }

    def _faithful(self) -> Representation:
        return _real_form(self, "fundamental", self.d, lambda g: g, order=1)

    def _named(self, k: int) -> list[Representation]:
        names = {1: ["fundamental"], 2: ["adjoint"]}.get(k, [])
        return [self.irrep(name) for name in names + ["det"] * (k == self.d and not self.special)]

    def _adjoint(self, g: Complex[Tensor, "*batch n n"]) -> Float[Tensor, "*batch dim dim"]:
        """Return -2 tr(T_a g T_b g^+)."""
        t = algebra.basis(self.d, traceless=True).to(g)
        moved = g[..., None, :, :] @ t @ g.mH[..., None, :, :]
        return -2 * torch.einsum("aij,...bji->...ab", t, moved).real

    def harmonic(self, order: int) -> Representation:
        raise ValueError(self._no_directions())

    def sphere(self, max_order: int) -> Representation:
        raise ValueError(self._no_directions())

    def _no_directions(self) -> str:
        return (
            f"{self.name} acts on an internal fibre, not on directions: kernels of its fields are those of a "
            "`LatticeGaugeField` (`kernel=Shifts(...)`)."
        )

    def __reduce__(self) -> tuple[type, tuple[int, ...]]:
        return type(self), (self.d,)


class SU(UnitaryGroup):
    """SU(N): unitary matrices of determinant one; see `UnitaryGroup` for its representations.

    Args:
        n: N, at least 2.

    Raises:
        ValueError: If N is smaller than 2.

    Example:
        >>> from gaugenet.groups import SU
        >>> links = SU(2).random_element((5,))
        >>> links.shape, links.dtype
        (torch.Size([5, 2, 2]), torch.complex128)
        >>> bool(SU(2).contains(links).all())
        True
    """

    special = True

    def __init__(self, n: int) -> None:
        super().__init__(n)
        if n < 2:
            raise ValueError(f"Expected `n` of at least 2 for SU(n), got {n}: SU(1) is trivial.")
        self.name = f"SU({n})"


class U(UnitaryGroup):
    """U(N): all unitary matrices; see `UnitaryGroup` for its representations. U(1) is `U1`.

    Args:
        n: N, at least 2.

    Raises:
        ValueError: If N is smaller than 2.

    Example:
        >>> from gaugenet.groups import SU, U
        >>> len(U(2).lie_algebra()), len(SU(2).lie_algebra())
        (4, 3)
    """

    special = False

    def __init__(self, n: int) -> None:
        super().__init__(n)
        if n < 2:
            raise ValueError(f"Expected `n` of at least 2 for U(n), got {n}: U(1) is `U1()`.")
        self.name = f"U({n})"


class U1(UnitaryGroup):
    """U(1): phases, as complex 1 x 1 matrices.

    Irreps: the charges k = `0`, `1`, `2`, ...: the real form of g^k. `fundamental` and `det` have charge 1, `adjoint`
    is trivial; `conjugate` has charge -1, whose real form is equivalent to that with charge 1.

    Example:
        >>> from gaugenet.groups import U1
        >>> [(rho.name, rho.dim) for rho in U1().irreps(max_order=2)]
        [('0', 1), ('1', 2), ('2', 2)]
    """

    special = False

    def __init__(self) -> None:
        super().__init__(1)
        self.name = "U(1)"

    def irrep(self, label: int | str) -> Representation:
        text = str(label).strip()
        text = {"fundamental": "1", "det": "1", "adjoint": "0"}.get(text, text)
        if text in ("conjugate", "matrix"):
            return super().irrep(text)
        if not text.isdigit():
            raise ValueError(
                f"Unknown representation {label!r} of {self.name}: expected a charge `0`, `1`, `2`, ..., "
                "`fundamental`, `conjugate`, `det`, `adjoint` or `matrix`."
            )
        charge = int(text)
        return _real_form(self, text, 1, lambda g: g**charge, order=charge) if charge else self.trivial()

    def irreps(self, max_order: int | None = None) -> list[Representation]:
        if max_order is None:
            raise ValueError("U(1) has infinitely many irreps: pass `max_order`.")
        return [self.irrep(charge) for charge in range(max_order + 1)]

    def standard(self) -> Representation:
        return self.irrep(1)

    def _level(self, k: int) -> list[Representation]:
        return [self.irrep(k)]

    def __reduce__(self) -> tuple[type, tuple[int, ...]]:
        return type(self), ()


def _real_form(
    group: UnitaryGroup, name: str, n: int, matrix: Callable[[Tensor], Tensor], *, order: int | None = None
) -> Representation:
    """Return the real form of a complex representation on C^n: real parts first, then imaginary parts."""
    return Representation(group, name, 2 * n, lambda g: _realified(matrix(g)), order=order)


def _realified(m: Complex[Tensor, "*batch n n"]) -> Float[Tensor, "*batch 2n 2n"]:
    """Return [[Re m, -Im m], [Im m, Re m]], a homomorphism of matrix algebras."""
    if not m.is_complex():
        raise ValueError(f"Expected complex group elements, got {m.dtype}: pass `g.to(torch.complex128)`.")
    a, b = m.real, m.imag  # torch negates `imag` of a conjugated view correctly
    return torch.cat([torch.cat([a, -b], -1), torch.cat([b, a], -1)], -2)


def _conjugation(g: Complex[Tensor, "*batch n n"]) -> Complex[Tensor, "*batch nn nn"]:
    """Return the matrix of W -> g W g^+ on row-major W."""
    return torch.einsum("...ij,...kl->...ikjl", g, g.conj()).flatten(-2).flatten(-3, -2)


def _determinant(g: Complex[Tensor, "*batch n n"]) -> Complex[Tensor, "*batch 1 1"]:
    determinant: Tensor = torch.linalg.det(g)
    return determinant[..., None, None]


def _divide_phase(g: Complex[Tensor, "*batch n n"]) -> Complex[Tensor, "*batch n n"]:
    """Return g / det(g)^(1/N), by the principal root."""
    angle = torch.linalg.det(g).angle() / g.shape[-1]
    return g * torch.polar(torch.ones_like(angle), -angle)[..., None, None]


__all__ = [
    "SU",
    "U",
    "U1",
    "UnitaryGroup",
]
