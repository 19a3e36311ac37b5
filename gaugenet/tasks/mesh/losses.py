"""Losses of labels on meshes: class probabilities of faces from vertex logits, and the terms of the loss."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gaugenet.tasks.training.label_loss import focused, overlap_loss
from gaugenet.tasks.training.loss_options import LossOptions
from gaugenet.tasks.training.options import Corners

IGNORE = -1
"""Label of points, faces or shapes without one; they count neither in losses nor in metrics."""


def face_log_probabilities(
    logits: Float[Tensor, "vertices classes"],
    face: Int[Tensor, "3 faces"],
    *,
    corners: Corners = "probabilities",
) -> Float[Tensor, "faces classes"]:
    r"""Return log-probabilities of the classes on faces, :math:`\log \frac13 \sum_{i \in f} \mathrm{softmax}(z_i)`.

    Args:
        logits: class scores at the vertices.
        face: vertex indices of each face.
        corners: `"probabilities"` averages the probabilities of the three corners, so that one confident corner
            cannot outvote two uncertain ones; `"logits"` averages the scores instead (a geometric mean).

    Raises:
        ValueError: If `face` is not `(3, F)`, or `corners` is neither of the two.

    Example:
        >>> import torch
        >>> from gaugenet.tasks import face_log_probabilities
        >>> logits = torch.tensor([[0.0, 0.0], [0.0, 0.0], [9.0, -9.0]])
        >>> face_log_probabilities(logits, torch.tensor([[0], [1], [2]])).exp()  # (1/2 + 1/2 + 1) / 3
        tensor([[0.6667, 0.3333]])
    """
    if face.ndim != 2 or face.shape[0] != 3:
        raise ValueError(f"Expected `face` of shape (3, F), got {tuple(face.shape)}: pass `face.T`.")
    if corners == "probabilities":
        log_prob = torch.log_softmax(logits, dim=-1)
        return torch.logsumexp(log_prob[face], dim=0) - math.log(3.0)
    if corners == "logits":
        return torch.log_softmax(logits[face].mean(dim=0), dim=-1)
    raise ValueError(f"Expected `corners` to be 'probabilities' or 'logits', got {corners!r}.")


def smoothed_nll(
    log_prob: Float[Tensor, "items classes"],
    target: Int[Tensor, "items"],
    *,
    smoothing: float = 0.0,
) -> Float[Tensor, "items"]:
    r"""Return cross entropies of the items against :math:`(1 - s)\,\mathrm{onehot}(t) + s / K`, 0 if unlabelled."""
    label = target.clamp(min=0)
    loss = -log_prob.gather(1, label[:, None]).squeeze(1)
    if smoothing > 0:
        loss = (1.0 - smoothing) * loss - smoothing * log_prob.mean(dim=1)
    return loss * (target != IGNORE)


def soft_nll(
    log_prob: Float[Tensor, "items classes"], target: Float[Tensor, "items classes"]
) -> Float[Tensor, "items"]:
    r"""Return the cross entropy :math:`-\sum_k t_k \log p_k` of each item against a soft target, 0 without one."""
    return -(target * log_prob).sum(dim=1)


def label_loss(
    log_prob: Float[Tensor, "items classes"],
    target: Int[Tensor, "items"] | Float[Tensor, "items classes"],
    graph: Int[Tensor, "items"],
    num_graphs: int,
    *,
    options: LossOptions,
    class_weight: Float[Tensor, "classes"] | None = None,
    smoothing: float = 0.0,
) -> Float[Tensor, ""]:
    r"""Return the sum of the chosen terms, each the mean over the meshes of a batch, without unlabelled items.

    With probabilities :math:`p`, class weights :math:`w` and the true class :math:`y` of each item:

    - cross_entropy: mean over the items of :math:`-w_y \log p_y`, with label smoothing;
    - focal: mean over the items of :math:`-w_y (1 - p_y)^\gamma \log p_y` (:cite:`lin2017focal`), without smoothing;
    - dice, jaccard: mean over the classes that a mesh has, see `overlap_loss`, without class weights.

    The weights are not divided by their sum over a batch: that would cancel them if a mesh has one item, and a batch
    may be distributed over processes.

    Args:
        log_prob: log-probabilities of the classes.
        target: the class of each item, `IGNORE` where it has none; or the shares of the classes, rows of zeros where
            there is no label.
        graph: the mesh of each item.
        num_graphs: number of meshes.
        options: the terms.
        class_weight: by default 1.
        smoothing: label smoothing in [0, 1).
    """
    hard = target.dim() == 1
    known = (target != IGNORE).to(log_prob) if hard else target.sum(dim=1)
    share = graph_shares(known, graph, num_graphs)
    total = log_prob.new_zeros(())
    for name, factor in options.parsed_terms:
        if name in ("dice", "jaccard"):
            shares = one_hot(target, log_prob.shape[1]).to(log_prob) if hard else target
            value = _mean_overlap(log_prob.exp(), shares, graph, num_graphs, jaccard=name == "jaccard")
        else:
            terms = log_prob if name == "cross_entropy" else focused(log_prob, options.focus)
            smoothed = smoothing if name == "cross_entropy" else 0.0
            nll = _weighted_nll if hard else _weighted_soft_nll
            value = (share * nll(terms, target, class_weight, smoothed)).sum()
        total = total + factor * value
    return total


def one_hot(target: Int[Tensor, "items"], num_classes: int) -> Int[Tensor, "items classes"]:
    """Return rows with a one at the class; rows of zeros where there is no label."""
    rows: Tensor = torch.nn.functional.one_hot(target.clamp(min=0), num_classes)
    return rows * (target != IGNORE)[:, None]


def label_counts(
    target: Int[Tensor, "items"] | Float[Tensor, "items classes"], num_classes: int
) -> Float[Tensor, "classes"]:
    """Return the number of items of each class, in float64; shares count as parts of an item."""
    if target.dim() == 2:
        return target.double().sum(dim=0)
    return torch.bincount(target[target != IGNORE], minlength=num_classes).double()


def _weighted_nll(log_prob: Tensor, target: Tensor, class_weight: Tensor | None, smoothing: float) -> Tensor:
    values = smoothed_nll(log_prob, target, smoothing=smoothing)
    return values if class_weight is None else values * class_weight.to(values)[target.clamp(min=0)]


def _weighted_soft_nll(log_prob: Tensor, target: Tensor, class_weight: Tensor | None, smoothing: float) -> Tensor:
    """Return the mean over the labelled part of each item; `graph_shares` gives the item the size of that part."""
    mass = target.sum(dim=1, keepdim=True)
    target = target / mass.clamp(min=torch.finfo(target.dtype).tiny)
    weighted = target if class_weight is None else target * class_weight.to(target)
    smooth = smoothing * weighted.sum(dim=1, keepdim=True) / log_prob.shape[1]
    return soft_nll(log_prob, (1 - smoothing) * weighted + smooth)


def _mean_overlap(prob: Tensor, target: Tensor, graph: Tensor, num_graphs: int, *, jaccard: bool) -> Tensor:
    known = target.sum(dim=1, keepdim=True)
    both, sizes, truth = (
        prob.new_zeros(num_graphs, prob.shape[1]).index_add(0, graph, values)
        for values in (prob * target, known * prob + target, target)
    )
    present = truth > 0
    loss = overlap_loss(both, torch.where(present, sizes, 1.0), jaccard=jaccard)
    return ((loss * present).sum(dim=1) / present.sum(dim=1).clamp(min=1)).mean()


def mean_over_graphs(
    values: Float[Tensor, "items"],
    batch: Int[Tensor, "items"],
    num_graphs: int,
    *,
    weight: Float[Tensor, "items"] | None = None,
) -> Float[Tensor, ""]:
    """Return the mean over the graphs of a batch of the (weighted) mean over each graph's items.

    Every mesh has the same weight, whatever its resolution. So a batch that is distributed over several processes gives
    the gradient of the same batch in one process: the mean of their means is the mean over all.
    """
    return (values * graph_shares(torch.ones_like(values) if weight is None else weight, batch, num_graphs)).sum()


def graph_shares(
    weight: Float[Tensor, "items"], batch: Int[Tensor, "items"], num_graphs: int
) -> Float[Tensor, "items"]:
    """Return the weight of each item in `mean_over_graphs`: its share of its graph, over the number of graphs."""
    mass = weight.new_zeros(num_graphs).index_add(0, batch, weight)
    return weight / mass.clamp(min=torch.finfo(weight.dtype).tiny)[batch] / num_graphs
