"""Losses of fields: distances between predictions and targets, mesh by mesh."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gaugenet.tasks.mesh.losses import graph_shares
from gaugenet.tasks.regression.options import LossKind


def field_loss(
    prediction: Float[Tensor, "items *shape"],
    target: Float[Tensor, "items *shape"],
    weight: Float[Tensor, "items"],
    batch: Int[Tensor, "items"],
    num_graphs: int,
    *,
    kind: LossKind = "l2",
    delta: float = 1.0,
) -> Float[Tensor, ""]:
    r"""Return the mean over the graphs of a batch of the weighted mean over each graph's items.

    With the error :math:`r` of an item, the norm of its difference, an item costs :math:`r^2` (`l2`), :math:`r` (`l1`),
    or :math:`r^2 / 2` up to `delta` and :math:`\delta (r - \delta / 2)` beyond (`huber`). The relative loss of a graph
    is :math:`\sqrt{\sum w r^2 / \sum w |t|^2}`. Norms are taken in space, so the loss does not depend on frames.

    Args:
        prediction: values in space.
        target: true values in space.
        weight: weight of each item, 0 where its target is missing.
        batch: the graph of each item.
        num_graphs: number of graphs.
        kind: `l2`, `l1`, `huber` or `relative`.
        delta: of the Huber loss.
    """
    squares = _norm_squares(prediction - target)
    share = graph_shares(weight, batch, num_graphs)
    if kind == "relative":
        error = share.new_zeros(num_graphs).index_add(0, batch, share * squares)
        size = share.new_zeros(num_graphs).index_add(0, batch, share * _norm_squares(target))
        tiny = torch.finfo(error.dtype).tiny
        return _root(error / size.clamp(min=tiny)).sum() / num_graphs
    if kind == "l2":
        return (share * squares).sum()
    length = _root(squares)
    if kind == "huber":
        length = torch.where(length <= delta, 0.5 * squares, delta * (length - 0.5 * delta))
    return (share * length).sum()


def _norm_squares(values: Float[Tensor, "items *shape"]) -> Float[Tensor, "items"]:
    return values.square().reshape(len(values), -1).sum(dim=1)


def _root(squares: Tensor) -> Tensor:
    """Return the square root, with slope 0 at 0."""
    positive = squares > 0
    return torch.where(positive, torch.where(positive, squares, 1.0).sqrt(), 0.0)
