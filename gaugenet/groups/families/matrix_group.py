"""MatrixGroup: any finite or compact matrix group, given by generators."""

from __future__ import annotations

import hashlib
import re
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet._typing import typed_tensor
from gaugenet.groups.families.tensor_powers import TensorPowerGroup
from gaugenet.groups.group import is_orthogonal, tolerance
from gaugenet.groups.intertwiners.closure import closure

MADE: dict[str, MatrixGroup] = {}
"""All matrix groups by name, so that names of representations can be read back."""

_WORD = 16
"""Number of factors of a random element; the distance from the Haar measure falls exponentially with it."""


class MatrixGroup(TensorPowerGroup):
    """The compact group of orthogonal d x d matrices that generators and a Lie algebra generate.

    Irreps are found by decomposing tensor powers of R^d, in which all irreps occur by the theorem of Peter and Weyl
    (:cite:`cesa2022program` uses tensor products in the same way). An irrep is named by the lowest power k in which it
    occurs: `k`, or `k.1`, `k.2`, ... if there are several. `0` is the trivial one. All irreps of a finite group are
    found when the sum of dim^2 / dim End is its order. The name of the group ends with a digest of its generators:
    equal names mean equal groups, labels and bases, on every run and machine.

    Random elements of infinite groups are products of 16 random factors: close to Haar-distributed, but not exactly.

    Args:
        generators: orthogonal matrices `(count, d, d)`; for an infinite group one or more of each component.
        lie_algebra: antisymmetric matrices `(count, d, d)` that generate the Lie algebra of an infinite group.
        name: letters, digits and underscores.
        max_order: the largest number of elements of a finite group.

    Raises:
        ValueError: If matrices have the wrong shape, are not orthogonal or not antisymmetric, or generate more than
            `max_order` elements.

    Example:
        >>> from gaugenet.groups import MatrixGroup
        >>> square = MatrixGroup([[[0, 1], [1, 0]], [[-1, 0], [0, 1]]], name="square")
        >>> square.order
        8
        >>> [(rho.name, rho.dim) for rho in square.irreps()]
        [('0', 1), ('1', 2), ('2.1', 1), ('2.2', 1), ('2.3', 1)]
    """

    def __init__(
        self,
        generators: Float[Tensor, "count d d"] | list[Any],
        *,
        lie_algebra: Float[Tensor, "dim d d"] | list[Any] | None = None,
        name: str = "G",
        max_order: int = 10_000,
    ) -> None:
        if not re.fullmatch(r"\w+", name):
            raise ValueError(f"Expected `name` of letters, digits and underscores, got {name!r}.")
        given = [
            _matrices("generators", generators),
            _matrices("lie_algebra", [] if lie_algebra is None else lie_algebra),
        ]
        self.d = max(m.shape[-1] for m in given)
        self._generators, self._algebra = (m if len(m) else torch.zeros(0, self.d, self.d).double() for m in given)
        self._check()
        self.max_order = max_order
        self.known_orders = 1
        self.name = f"{name}#{_digest(self._generators, self._algebra)}"
        self.orientation_preserving = bool((torch.linalg.det(self._generators) > 0).all())
        self._given_name = name
        if not len(self._algebra):
            _ = self._elements  # errors are raised here, not at the first use
        MADE.setdefault(self.name, self)

    def _check(self) -> None:
        if self._generators.shape[-1] != self._algebra.shape[-1] or self.d == 0:
            raise ValueError(
                f"Expected `generators` and `lie_algebra` of one dimension, got {tuple(self._generators.shape)} and "
                f"{tuple(self._algebra.shape)}."
            )
        if not bool(is_orthogonal(self._generators, 1e-9).all()):
            raise ValueError(
                "Expected orthogonal `generators` in float64: change the basis so that the invariant inner product of "
                "the compact group is the standard one."
            )
        if len(self._algebra) and (self._algebra + self._algebra.mT).abs().max() > 1e-9:
            raise ValueError("Expected antisymmetric matrices in `lie_algebra`.")

    # --- the group -----------------------------------------------------------------------------------------------

    @cached_property
    def _elements(self) -> Tensor:
        return closure(self._generators, max_order=self.max_order)

    @property
    def order(self) -> int | None:
        return None if len(self._algebra) else len(self._elements)

    def elements(self) -> Tensor:
        return super().elements() if len(self._algebra) else self._elements

    def generators(self) -> Tensor:
        return self._generators

    @cached_property
    def _bracket_closed(self) -> Tensor:
        """An orthonormal basis of all brackets."""
        basis = self._algebra
        while True:
            brackets = basis[:, None] @ basis - basis @ basis[:, None]
            _, values, rows = torch.linalg.svd(
                torch.cat([basis, brackets.flatten(0, 1)]).flatten(1), full_matrices=False
            )
            closed = rows[values > 1e-9 * values[0]].unflatten(-1, (self.d, self.d))
            if len(closed) == len(basis):
                return typed_tensor(closed)
            basis = closed

    def lie_algebra(self) -> Tensor:
        return self._algebra

    def _draw(self, size: tuple[int, ...], generator: torch.Generator | None) -> Tensor:
        if self.order is not None:
            return self._elements[torch.randint(self.order, size, generator=generator)]
        g = self.identity().expand(*size, self.d, self.d)
        steps = torch.cat([self.identity()[None], self._generators])
        for _ in range(_WORD):
            flow = torch.randn(*size, len(self._bracket_closed), generator=generator, dtype=torch.float64) * 3
            rotation = torch.linalg.matrix_exp(torch.einsum("...k,kij->...ij", flow, self._bracket_closed))
            g = g @ rotation @ steps[torch.randint(len(steps), size, generator=generator)]
        return g

    def contains(self, g: Tensor, atol: float | None = None) -> Tensor:
        """Return whether each matrix lies in the group up to `atol`.

        For infinite groups the nearest element is found by ascent from 64 starts: it could be missed, in theory.
        """
        atol = tolerance(g) if atol is None else atol
        flat = g.reshape(-1, self.d, self.d)
        if self.order is not None:
            near = self._elements.to(g)[self.element_index(flat)]
        else:
            near = self._nearest(flat.double().nan_to_num()).to(g)
        return ((flat - near).abs().amax((-2, -1)) <= atol).view(g.shape[:-2])

    def _nearest(self, g: Float[Tensor, "n d d"]) -> Float[Tensor, "n d d"]:
        """Return the nearest element by ascent of <h, g>.

        A few steps from each start, since the nearest element may lie in a component whose starts are not the closest;
        then the best starts are iterated to convergence.
        """
        h = self.random_element(64, generator=torch.Generator().manual_seed(0)).expand(len(g), -1, -1, -1)
        h = self._ascend(h, g, steps=3)
        best = torch.einsum("nij,nsij->ns", g, h).topk(8, dim=1).indices
        h = self._ascend(h[torch.arange(len(g))[:, None], best], g, steps=40)
        error = (h - g[:, None]).square().sum((-2, -1))
        return h[torch.arange(len(g)), error.argmin(1)]

    def _ascend(self, h: Float[Tensor, "n starts d d"], g: Float[Tensor, "n d d"], steps: int) -> Tensor:
        basis = self._bracket_closed
        for _ in range(steps):
            slope = torch.einsum("nsji,njk,bik->nsb", h, g, basis)
            h = h @ torch.linalg.matrix_exp(torch.einsum("nsb,bij->nsij", slope, basis))
        return h

    def __reduce__(self) -> tuple[Any, ...]:
        return _remake, (self._generators, self._algebra, self._given_name, self.max_order)


def _remake(generators: Tensor, lie_algebra: Tensor, name: str, max_order: int) -> MatrixGroup:
    return MatrixGroup(generators, lie_algebra=lie_algebra, name=name, max_order=max_order)


def _matrices(name: str, value: Tensor | list[Any]) -> Float[Tensor, "count d d"]:
    if not isinstance(value, Tensor):
        value = (
            torch.stack([torch.as_tensor(m, dtype=torch.float64) for m in value])
            if len(value)
            else torch.zeros(0, 0, 0)
        )
    if value.ndim != 3 or value.shape[1] != value.shape[2]:
        raise ValueError(f"Expected `{name}` of shape (count, d, d), got {tuple(value.shape)}.")
    return value.detach().double().cpu()


def _digest(*tables: Tensor) -> str:
    text = ";".join(f"{tuple(t.shape)} {(t * 1e7).round().long().flatten().tolist()}" for t in tables)
    return hashlib.sha256(text.encode()).hexdigest()[:8]
