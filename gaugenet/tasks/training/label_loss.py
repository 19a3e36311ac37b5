"""Class weights, the focal factor and overlaps, for the losses over labels of all tasks."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.tasks.training.loss_options import LossOptions

_LEAST_SHARE = 1e-6


def class_weights(
    options: LossOptions, share: Float[Tensor, "classes"], count: Float[Tensor, "classes"]
) -> Float[Tensor, "classes"]:
    r"""Return the weights of the classes, of mean 1 over the items: :math:`\sum_k s_k w_k = 1`.

    - numbers: in their ratios;
    - inverse: :math:`s_k^{-b}`, with the share :math:`s_k` of a class and :math:`b` = `options.balance`;
    - effective: :math:`(1 - \beta) / (1 - \beta^{n_k})` for :math:`n_k` samples (:cite:`cui2019class`, equation 4);
    - none: 1.

    A class without an item in training has the weight 1 unless numbers are given.

    Args:
        options: the kind of weights.
        share: share of each class in the loss without weights: of the area, or of the items with equal weight for
            every mesh. Sums to 1.
        count: number of samples of each class.
    """
    share, count = share.double(), count.double()
    if options.numbers is not None:
        weight = torch.tensor(options.numbers, dtype=torch.float64)
        return weight / (weight * share).sum()
    if options.method == "inverse":
        weight = share.clamp(min=_LEAST_SHARE) ** -options.balance
    elif options.method == "effective" and options.beta > 0:
        weight = (1 - options.beta) / -torch.expm1(count.clamp(min=1) * math.log(options.beta))
    else:
        weight = torch.ones_like(share)
    return torch.where(share > 0, weight / (weight * share).sum(), 1.0)


def focused(log_prob: Tensor, focus: float) -> Tensor:
    r"""Return :math:`(1 - p)^\gamma \log p`, the negative of the focal loss (:cite:`lin2017focal`)."""
    return log_prob if focus == 0 else log_prob * (-torch.expm1(log_prob)).clamp(min=1e-6) ** focus


def overlap_loss(both: Tensor, sizes: Tensor, *, jaccard: bool, smooth: Tensor | float = 0.0) -> Tensor:
    r"""Return one minus the Dice coefficient :math:`2 I / S` (:cite:`milletari2016vnet`) or the Jaccard index.

    Args:
        both: :math:`I = \sum p\,t`, the overlap of probabilities and truth.
        sizes: :math:`S = \sum (p + t)`.
        jaccard: return :math:`1 - I / (S - I)` instead.
        smooth: added to the denominator.
    """
    return 1 - (both / (sizes - both + smooth) if jaccard else 2 * both / (sizes + smooth))
