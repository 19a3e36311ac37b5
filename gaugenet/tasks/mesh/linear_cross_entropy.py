"""Cross entropy of a linear layer's scores without ever storing them: for thousands of classes at every vertex."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

CHUNK_BYTES = 1 << 22
"""Size of the scores that are there at once on a CPU: what stays in its caches."""

_CHUNK_BYTES_ELSEWHERE = 1 << 28


@dataclass(frozen=True)
class Comparison:
    """The loss, and which items have the largest score at the right class (the first of equal scores counts)."""

    loss: Float[Tensor, ""]
    correct: Bool[Tensor, "items"]


def linear_cross_entropy(
    hidden: Float[Tensor, "items channels"],
    weight: Float[Tensor, "classes channels"],
    bias: Float[Tensor, "classes"],
    target: Int[Tensor, "items"],
    share: Float[Tensor, "items"],
    *,
    smoothing: float = 0.0,
) -> Comparison:
    r"""Sum `share` times the cross entropy of `hidden @ weight.T + bias`, without items whose target is negative.

    The result equals `smoothed_nll(log_softmax(scores))`, weighted and summed, and an argmax. But scores and their
    gradients are computed for a few items at a time and used immediately: the loss is a sum, so the backward pass only
    multiplies by a factor. The memory is O((items + classes) channels) instead of O(items classes), and the matrix
    products are the only passes over memory.

    Under autocast the products run in its precision, everything else in float32. There are no second derivatives.

    Args:
        hidden: input of the linear layer.
        weight: of the linear layer.
        bias: of the linear layer.
        target: the class of each item, negative where it has none.
        share: the weight of each item in the loss, without gradient.
        smoothing: label smoothing in [0, 1).
    """
    device = hidden.device.type
    if torch.is_autocast_enabled(device) and hidden.dtype != torch.float64:
        hidden, weight, bias = (t.to(torch.get_autocast_dtype(device)) for t in (hidden, weight, bias))
    trained = torch.is_grad_enabled() and any(t.requires_grad for t in (hidden, weight, bias))
    with torch.autocast(device, enabled=False):
        arguments = (hidden, weight, bias, target, share.detach(), smoothing, trained)
        loss, correct = _LinearCrossEntropy.apply(*arguments)  # type: ignore[no-untyped-call]
    return Comparison(loss, correct)


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor,
        target: Tensor,
        share: Tensor,
        smoothing: float,
        trained: bool,
    ) -> tuple[Tensor, Tensor]:
        wide = torch.promote_types(hidden.dtype, torch.float32)
        loss = hidden.new_zeros((), dtype=wide)
        correct = torch.zeros_like(target, dtype=torch.bool)
        grads = [torch.zeros_like(t, dtype=wide) for t in (hidden, weight, bias)] if trained else []
        for rows, scores in _chunks(hidden, weight, bias):
            chunk = _Chunk(scores, target[rows, None], share[rows, None].to(wide), smoothing)
            loss += chunk.loss()
            correct[rows] = chunk.correct()
            if trained:
                grad = chunk.gradient()
                grads[2] += grad.sum(0)
                low = grad.to(hidden.dtype)
                grads[0][rows] = low @ weight
                _add_product(grads[1], low.T, hidden[rows])
        ctx.save_for_backward(*grads)
        ctx.dtypes = [t.dtype for t in (hidden, weight, bias)]
        ctx.mark_non_differentiable(correct)
        return loss, correct

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        scaled = [(saved * grad).to(dtype) for saved, dtype in zip(ctx.saved_tensors, ctx.dtypes, strict=True)]
        return *scaled, None, None, None, None


def _chunks(hidden: Tensor, weight: Tensor, bias: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Yield rows, and their scores in at least float32; all chunks use the same memory."""
    size = CHUNK_BYTES if hidden.device.type == "cpu" else _CHUNK_BYTES_ELSEWHERE
    rows = max(1, size // max(1, len(weight) * hidden.element_size()))
    buffer = hidden.new_empty(min(rows, len(hidden)), len(weight))
    for start in range(0, len(hidden), rows):
        part = hidden[start : start + rows]
        scores = torch.addmm(bias, part, weight.T, out=buffer[: len(part)])
        yield slice(start, start + rows), scores.to(torch.promote_types(hidden.dtype, torch.float32))


def _add_product(total: Tensor, a: Tensor, b: Tensor) -> None:
    if total.dtype == a.dtype:
        total.addmm_(a, b)
    else:
        total += a @ b


class _Chunk:
    """Softmax of a few rows, in place: `scores` then holds exp(score - largest), and finally the gradient."""

    def __init__(self, scores: Tensor, target: Tensor, share: Tensor, smoothing: float) -> None:
        self.target, self.smoothing = target.clamp(min=0), smoothing
        self.labelled = target >= 0
        self.share = share * self.labelled
        self.at_target = scores.gather(1, self.target)
        self.mean = scores.mean(1, keepdim=True) if smoothing else 0.0
        self.largest = scores.amax(1, keepdim=True)
        self.powers = scores.sub_(self.largest).exp_()
        self.total = self.powers.sum(1, keepdim=True)

    def loss(self) -> Float[Tensor, ""]:
        wanted = (1 - self.smoothing) * self.at_target + self.smoothing * self.mean
        return (self.share * (self.largest + self.total.log() - wanted)).sum()

    def correct(self) -> Bool[Tensor, "items"]:
        """Return which rows are correct: a probability above one half is the largest, others are checked for ties."""
        right = (self.at_target == self.largest) & self.labelled
        doubtful = (right & (self.total >= 2)).squeeze(1).nonzero().squeeze(1)
        first = self.powers[doubtful].argmax(1, keepdim=True)
        right[doubtful] = first == self.target[doubtful]
        return right.squeeze(1)

    def gradient(self) -> Float[Tensor, "items classes"]:
        """Return share (softmax - smoothed target)."""
        grad = self.powers.mul_(self.share / self.total)
        if self.smoothing:
            grad.sub_(self.share * (self.smoothing / grad.shape[1]))
        return grad.scatter_add_(1, self.target, (self.smoothing - 1) * self.share)
