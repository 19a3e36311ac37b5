"""Exact regression: L-BFGS, followed by Gauss-Newton steps."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call, jvp, vmap


def lbfgs(loss: Callable[[], Tensor], network: nn.Module, *, seconds: float, enough: float) -> float:
    """Minimize `loss()` over the parameters until it is at most `enough` or the CPU time is used up; return it."""
    options: dict[str, Any] = {"max_iter": 20, "history_size": 50, "line_search_fn": "strong_wolfe"}
    optimizer = torch.optim.LBFGS(network.parameters(), tolerance_grad=0.0, tolerance_change=0.0, **options)
    begin, value = time.process_time(), math.inf

    def closure() -> Tensor:
        optimizer.zero_grad()
        result = loss()
        result.backward()
        return result

    while value > enough and time.process_time() - begin < seconds:
        value = float(optimizer.step(closure).detach())
        if not math.isfinite(value):
            break
    return value


def gauss_newton(
    network: nn.Module, arguments: tuple[object, ...], y: Float[Tensor, "*shape"], *, steps: int = 8, chunk: int = 16
) -> float:
    """Minimize mean (network(*arguments) - y)^2 by damped Gauss-Newton steps, in place; return the last value.

    Near an exact solution each step squares the error, even if the solution is not unique.
    """
    names, parameters = zip(*network.named_parameters(), strict=True)
    sizes = [p.shape for p in parameters]
    vector = nn.utils.parameters_to_vector(parameters).detach()

    def residuals(v: Tensor) -> Tensor:
        parts = torch.split(v, [size.numel() for size in sizes])
        values = {name: part.view(size) for name, part, size in zip(names, parts, sizes, strict=True)}
        difference: Tensor = functional_call(network, values, arguments) - y
        return difference.flatten()

    directions, r, damping = torch.eye(len(vector), dtype=vector.dtype), residuals(vector).detach(), 1e-10
    for _ in range(steps):
        jacobian = vmap(lambda e, v=vector: jvp(residuals, (v,), (e,))[1], chunk_size=chunk)(directions).detach()
        left, values, right = torch.linalg.svd(jacobian, full_matrices=False)
        filtered = values / (values.square() + damping * values[0].square())
        candidate = vector - left @ (filtered * (right @ r))
        new = residuals(candidate).detach()
        if new.square().mean() < r.square().mean():
            vector, r, damping = candidate, new, max(damping / 10, 1e-16)
        else:
            damping *= 100
    nn.utils.vector_to_parameters(vector, network.parameters())
    return float(r.square().mean())


__all__ = ["gauss_newton", "lbfgs"]
