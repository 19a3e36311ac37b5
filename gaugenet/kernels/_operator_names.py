"""Names of differential operators: recognized by their symbols."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.groups import O2, SO2, Representation, TensorGroup
from gaugenet.kernels._symbols import Key, monomials, multi_indices, symbol_functions

if TYPE_CHECKING:
    from gaugenet.kernels.basis import CoupledBasis

Symbol = Float[Tensor, "points out in"]
Candidate = Callable[[Float[Tensor, "points d"]], Symbol]

_LARGEST = 64
"""Largest number of entries of a symbol for which names are looked up: operators between regular fields have none."""
CLOSE = 1e-9


def operator_names(rho_in: Representation, rho_out: Representation, key: Key, basis: CoupledBasis) -> list[str]:
    """Return a readable name for each basis element, up to a positive factor."""
    if rho_in.dim * rho_out.dim > _LARGEST:
        return [_plain_name(key, b) for b in range(basis.dim)]
    xi = _covectors(rho_in.group.d)
    h = symbol_functions(rho_in.group, key)(xi)
    symbols = torch.einsum("nh,bohi->bnoi", h, basis.coefficients())
    known = dict(_candidates(rho_in, rho_out, key[0]))
    return [
        _recognise(symbol, known, xi) or _polynomial_name(symbol, key, xi) or _plain_name(key, b)
        for b, symbol in enumerate(symbols)
    ]


def _covectors(d: int) -> Float[Tensor, "points d"]:
    number, axis = torch.arange(40, dtype=torch.float64)[:, None], torch.arange(d, dtype=torch.float64) + 2
    return torch.cos(number * axis.sqrt() + axis)


def _plain_name(key: Key, element: int) -> str:
    n, j = key
    return f"order {n}, frequency {j} [{element}]"


def _recognise(symbol: Symbol, known: dict[str, Candidate], xi: Tensor) -> str | None:
    for name, candidate in known.items():
        factor = _proportion(symbol, candidate(xi))
        if factor:
            return name if factor > 0 else f"-{name}"
    return None


def _proportion(symbol: Symbol, candidate: Symbol) -> float:
    """Return c with symbol = c candidate, 0 if there is none."""
    square = candidate.square().sum()
    if candidate.shape != symbol.shape or square == 0:
        return 0.0
    factor = (symbol * candidate).sum() / square
    close = (symbol - factor * candidate).abs().max() <= CLOSE * symbol.abs().max()
    return float(factor) if close else 0.0


def _polynomial_name(symbol: Symbol, key: Key, xi: Tensor) -> str | None:
    """Return the polynomial of an operator from scalars to scalars."""
    if symbol.shape[1:] != (1, 1):
        return None
    indices = multi_indices(xi.shape[1], key[0])
    found = torch.linalg.lstsq(monomials(xi, indices), symbol[:, :, 0]).solution[:, 0]
    found = found / found[found.abs() > CLOSE][0].abs()
    terms = [f"{_number(c)}{_derivative(a)}" for c, a in zip(found.tolist(), indices) if abs(c) > CLOSE]
    return " ".join(terms).removeprefix("+ ").replace("- ", "-", 1) if terms[0][0] == "-" else " ".join(terms)[2:]


def _number(c: float) -> str:
    sign, size = ("-" if c < 0 else "+"), abs(c)
    return f"{sign} " if abs(size - 1) < CLOSE else f"{sign} {size:.4g} "


def _derivative(a: tuple[int, ...]) -> str:
    return " ".join(f"d{i + 1}" + (f"^{n}" if n > 1 else "") for i, n in enumerate(a) if n)


# --- operators with names ---------------------------------------------------------------------------------------------


def _candidates(rho_in: Representation, rho_out: Representation, order: int) -> Iterator[tuple[str, Candidate]]:
    """Return known operators of one order, the most familiar names first."""
    power = 0
    while 2 * power <= order:
        yield from (
            (_with_laplacian(name, power, rho_in), _times_square(symbol, power, rho_in))
            for name, symbol in _primitive(rho_in, rho_out, order - 2 * power)
        )
        power += 1


def _square(rho: Representation, xi: Tensor) -> Float[Tensor, "points 1 1"]:
    return (xi @ _metric(rho, xi.shape[-1]) * xi).sum(-1)[:, None, None]


def _with_laplacian(name: str, power: int, rho: Representation) -> str:
    if not power:
        return name
    square = "dalembertian" if isinstance(rho.group, TensorGroup) else "laplacian"
    square += f"^{power}" if power > 1 else ""
    factor, base = ("i ", name[2:]) if name.startswith("i ") else ("", name)
    return factor + (square if base == "identity" else f"{square} {base}")


def _times_square(symbol: Candidate, power: int, rho: Representation) -> Candidate:
    return lambda xi: symbol(xi) * _square(rho, xi) ** power


def _primitive(rho_in: Representation, rho_out: Representation, order: int) -> Iterator[tuple[str, Candidate]]:
    """Return operators that do not contain a factor laplacian."""
    if order == 0 and rho_in == rho_out:
        yield "identity", lambda xi: torch.eye(rho_in.dim, dtype=xi.dtype).expand(len(xi), -1, -1)
    yield from _vector_calculus(rho_in, rho_out, order)
    if rho_in.group in (SO2(), O2()) and rho_in.is_irreducible and rho_out.is_irreducible:
        yield from _spin_operators(rho_in, rho_out, order)


def _vector_calculus(rho_in: Representation, rho_out: Representation, order: int) -> Iterator[tuple[str, Candidate]]:
    """Return grad, div, curl and their compositions, between scalars, vectors and covectors."""
    d = rho_in.group.d
    eta = _metric(rho_in, d)
    eye, rotation = torch.eye(d, dtype=torch.float64), torch.tensor([[0.0, 1.0], [-1.0, 0.0]], dtype=torch.float64)
    kinds = _kind(rho_in), _kind(rho_out)
    if order == 1 and kinds == ("scalar", "covector"):
        yield "grad", lambda xi: xi[:, :, None]
    if order == 1 and kinds == ("scalar", "vector"):
        yield "grad", lambda xi: (xi @ eta)[:, :, None]
    if order == 1 and kinds == ("vector", "scalar"):
        yield "div", lambda xi: xi[:, None, :]
    if order == 1 and kinds == ("covector", "scalar"):
        yield "div", lambda xi: (xi @ eta)[:, None, :]
    if order == 1 and d == 2 and kinds == ("scalar", "vector"):
        yield "curl", lambda xi: (xi @ rotation.T)[:, :, None]
    if order == 1 and d == 2 and kinds == ("vector", "scalar"):
        yield "curl", lambda xi: (xi @ rotation)[:, None, :]
    if order == 1 and d == 3 and kinds == ("vector", "vector"):
        yield "curl", _cross
    if order == 2 and kinds == ("vector", "vector"):
        yield "grad div", lambda xi: _outer(xi @ eta, xi)
        yield "traceless grad div", lambda xi: _outer(xi @ eta, xi) - _square(rho_in, xi) / d * eye


def _metric(rho: Representation, d: int) -> Float[Tensor, "d d"]:
    metric = rho.group.metric if isinstance(rho.group, TensorGroup) else None
    return torch.eye(d, dtype=torch.float64) if metric is None else metric


def _kind(rho: Representation) -> str:
    """Return whether fields are scalars, vectors or covectors, perhaps with a sign under reflections."""
    d, g = rho.group.d, rho.group.random_element(4, generator=torch.Generator().manual_seed(1))
    found = rho(g)
    if rho.dim == 1 and torch.allclose(found.abs(), torch.ones_like(found)):
        return "scalar"
    if d == 1 or rho.dim != d:
        return "other"
    for kind, matrix in (("vector", g), ("covector", torch.linalg.inv(g).mT)):
        for sign in (1, torch.linalg.det(g).sign()[:, None, None]):
            if torch.allclose(found, sign * matrix):
                return kind
    return "other"


def _outer(a: Tensor, b: Tensor) -> Float[Tensor, "points d d"]:
    return a[:, :, None] * b[:, None, :]


def _cross(xi: Tensor) -> Float[Tensor, "points 3 3"]:
    x, y, z = xi.unbind(-1)
    zero = torch.zeros_like(x)
    rows = [[zero, -z, y], [z, zero, -x], [-y, x, zero]]
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def _spin_operators(rho_in: Representation, rho_out: Representation, order: int) -> Iterator[tuple[str, Candidate]]:
    """Return powers of eth = d1 + i d2 and of ethbar on fields of order m, and on their conjugates."""
    m, k = rho_in.order or 0, rho_out.order or 0
    for power, conjugate in dict.fromkeys([(k - m, False), (k + m, m > 0)]):
        if abs(power) != order or (conjugate and not k):
            continue
        base = "eth" if power > 0 else "ethbar"
        base += f"^{abs(power)}" if abs(power) > 1 else ""
        base = ("" if power else "identity") or base + (" conj" if conjugate else "")
        names = {1: base, 1j: f"i {base}"} if k else {1: f"Re {base}", -1j: f"Im {base}"}
        for factor, name in names.items():
            yield name, _spin_symbol(power, conjugate, factor, rho_in.dim, rho_out.dim)


def _spin_symbol(power: int, conjugate: bool, factor: complex, inputs: int, outputs: int) -> Candidate:
    def symbol(xi: Tensor) -> Tensor:
        z = torch.complex(xi[:, 0], xi[:, 1] if power >= 0 else -xi[:, 1]) ** abs(power) * factor
        rows = torch.stack([torch.stack([z.real, -z.imag], -1), torch.stack([z.imag, z.real], -1)], -2)
        signs = torch.tensor([1.0, -1.0 if conjugate else 1.0], dtype=xi.dtype)
        return (rows * signs)[:, :outputs, :inputs]

    return symbol


__all__ = ["operator_names"]
