"""Losses for rare classes on the sphere, weighted by area."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gaugenet.tasks.climate.options import ClimateLoss
from gaugenet.tasks.mesh.losses import IGNORE
from gaugenet.tasks.training.label_loss import focused, overlap_loss


def climate_loss(
    logits: Float[Tensor, "batch classes vertices"],
    target: Int[Tensor, "batch vertices"],
    area: Float[Tensor, "vertices"],
    class_weight: Float[Tensor, "classes"],
    options: ClimateLoss,
) -> Float[Tensor, ""]:
    r"""Return the sum of the chosen terms; vertices with the label `IGNORE` have no influence.

    With the class probabilities :math:`p`, areas :math:`a`, class weights :math:`w` and the true class :math:`y`:

    - cross_entropy :math:`-\sum a\,w_y \log p_y \,/ \sum a\,w_y`;
    - focal :math:`-\sum a\,w_y (1 - p_y)^\gamma \log p_y \,/ \sum a\,w_y` (:cite:`lin2017focal`);
    - dice, the mean over all classes except the first (the background) of
      :math:`1 - 2 \sum a\,p_k [y = k] / \sum a\,(p_k + [y = k])`, over the whole batch (:cite:`milletari2016vnet`);
    - jaccard, the same mean of :math:`1 - I / (\sum a\,(p_k + [y = k]) - I)`, :math:`I = \sum a\,p_k [y = k]`.
    """
    log_prob = torch.log_softmax(logits.float(), dim=1)
    known = target != IGNORE
    index = target.clamp(min=0)
    weight = area.to(log_prob) * known
    total = log_prob.new_zeros(())
    for name, factor in options.parsed_terms:
        if name in ("cross_entropy", "focal"):
            value = _pointwise(log_prob, index, weight, class_weight, options.focus if name == "focal" else 0.0)
        else:
            value = _overlap(log_prob.exp(), index, weight, known, jaccard=name == "jaccard")
        total = total + factor * value
    return total


def _pointwise(log_prob: Tensor, index: Tensor, weight: Tensor, class_weight: Tensor, focus: float) -> Tensor:
    chosen = log_prob.gather(1, index[:, None])[:, 0]
    weight = weight * class_weight.to(log_prob)[index]
    return -(weight * focused(chosen, focus)).sum() / weight.sum().clamp(min=1e-12)


def _overlap(prob: Tensor, index: Tensor, weight: Tensor, known: Tensor, *, jaccard: bool) -> Tensor:
    truth = torch.nn.functional.one_hot(index, prob.shape[1]).movedim(-1, 1).to(prob) * known[:, None]
    both = (weight[:, None] * prob * truth).sum(dim=(0, 2))
    sizes = (weight[:, None] * (prob + truth)).sum(dim=(0, 2))
    smooth = 1e-3 * weight.sum() / weight.numel()  # avoids a division by zero in a batch without the class
    return overlap_loss(both, sizes, jaccard=jaccard, smooth=smooth)[1:].mean()
