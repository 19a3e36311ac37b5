"""Losses of the tasks: class probabilities of faces from vertex logits, and a smoothed negative log-likelihood."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gaugenet.tasks.training.options import Corners

IGNORE = -1
"""Label of points, faces or shapes without one; they count neither in losses nor in metrics."""


def face_log_probabilities(
    logits: Float[Tensor, "vertices classes"],
    face: Int[Tensor, "3 faces"],
    *,
    corners: Corners = "probabilities",
) -> Float[Tensor, "faces classes"]:
    r"""Log-probabilities of the classes on faces, :math:`\log \frac13 \sum_{i \in f} \mathrm{softmax}(z_i)`.

    Args:
        logits: class scores at the vertices.
        face: vertex indices of each face.
        corners: `"probabilities"` averages the probabilities of the three corners, so that one confident corner
            cannot outvote two doubtful ones; `"logits"` averages the scores instead (a geometric mean).

    Raises:
        ValueError: `face` is not `(3, F)`, or `corners` is neither of the two.
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
    r"""Cross entropy of each item against :math:`(1 - s)\,\mathrm{onehot}(t) + s / K`; zero where unlabelled."""
    label = target.clamp(min=0)
    loss = -log_prob.gather(1, label[:, None]).squeeze(1)
    if smoothing > 0:
        loss = (1.0 - smoothing) * loss - smoothing * log_prob.mean(dim=1)
    return loss * (target != IGNORE)


def soft_nll(
    log_prob: Float[Tensor, "items classes"], target: Float[Tensor, "items classes"]
) -> Float[Tensor, "items"]:
    r"""Cross entropy :math:`-\sum_k t_k \log p_k` of each item against a soft target; rows of zeros count nothing."""
    return -(target * log_prob).sum(dim=1)


def mean_over_graphs(
    values: Float[Tensor, "items"],
    batch: Int[Tensor, "items"],
    num_graphs: int,
    *,
    weight: Float[Tensor, "items"] | None = None,
) -> Float[Tensor, ""]:
    """Mean over the graphs of a batch of the (weighted) mean over each graph's items.

    Every mesh counts the same, whatever its resolution. It is also what makes a batch that is spread over several
    processes give the gradient of the same batch in one process: the mean of their means is the mean over all.
    """
    return (values * graph_shares(torch.ones_like(values) if weight is None else weight, batch, num_graphs)).sum()


def graph_shares(
    weight: Float[Tensor, "items"], batch: Int[Tensor, "items"], num_graphs: int
) -> Float[Tensor, "items"]:
    """What each item counts in `mean_over_graphs`: its share of its graph, divided by the number of graphs."""
    mass = weight.new_zeros(num_graphs).index_add(0, batch, weight)
    return weight / mass.clamp(min=torch.finfo(weight.dtype).tiny)[batch] / num_graphs
