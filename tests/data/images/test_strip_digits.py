"""Digits on a Möbius strip: shifts, the twist, and what a network that does not see shifts learns from them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gaugenet.data import Digits, StripDigits
from gaugenet.models import MobiusCNN, OrdinaryStripCNN
from gaugenet.tasks.images.module import to_images
from tests.tolerances import TOL, relative


def digits(count: int = 5) -> Digits:
    random = np.random.default_rng(0)
    return Digits(random.integers(0, 256, (count, 28, 28)).astype(np.uint8), np.arange(count) % 10)


def test_what_leaves_at_one_end_comes_back_upside_down_at_the_other():
    before = digits()
    after = StripDigits(3)(before)
    assert np.array_equal(after.images[:, :, 3:], before.images[:, :, :-3])
    assert np.array_equal(after.images[:, :, :3], before.images[:, ::-1, -3:])
    assert np.array_equal(StripDigits(28)(before).images, before.images[:, ::-1])
    assert np.array_equal(StripDigits(0)(before).images, before.images)
    assert np.array_equal(after.labels, before.labels)


def test_every_digit_has_a_shift_of_its_own_that_follows_from_the_seed():
    before = digits(200)
    after = StripDigits(seed=4)(before)
    possible = np.stack([StripDigits(shift)(before).images for shift in range(56)])
    found = [np.flatnonzero((possible[:, k] == after.images[k]).all((1, 2))) for k in range(200)]
    assert all(len(shift) == 1 for shift in found)
    assert len({int(shift[0]) for shift in found}) > 45
    assert np.array_equal(StripDigits(seed=4)(before).images, after.images)
    assert not np.array_equal(StripDigits(seed=5)(before).images, after.images)
    with pytest.raises(ValueError, match="`shift`"):
        StripDigits("far")


def gradients(network: torch.nn.Module, seen: Digits) -> torch.Tensor:
    images, labels = to_images(seen, "cpu").double(), torch.from_numpy(seen.labels)
    loss = torch.nn.functional.cross_entropy(network(images), labels)
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(network.parameters()))])


def test_an_invariant_network_learns_the_same_from_shifted_digits_and_an_ordinary_one_does_not():
    """So the table of the paper needs one training of each, not one for centred and one for shifted digits."""
    centred, shifted = digits(), StripDigits(seed=1)(digits())
    torch.manual_seed(0)
    invariant, ordinary = MobiusCNN("mixed", dropout=0).double(), OrdinaryStripCNN(dropout=0).double()
    tolerance = 100 * TOL[torch.float64]  # through two batch normalizations of five digits
    assert relative(gradients(invariant, shifted), gradients(invariant, centred)) < tolerance
    assert relative(gradients(ordinary, shifted), gradients(ordinary, centred)) > 1e-2
