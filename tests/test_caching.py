"""What caches hold, what they drop, and that what an evaluation makes serves a training."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

from gaugenet._caching import BoundedCache, TensorCache, cached
from gaugenet.groups import SO3, Polyhedral, intertwiners
from gaugenet.groups.families import polyhedral
from gaugenet.groups.intertwiners import intertwiner
from gaugenet.nn import fourier


@dataclass(frozen=True)
class _Sized:
    key: int
    nbytes: int = 10


def _asked(cache: BoundedCache[_Sized], keys: list[int]) -> list[int]:
    """The keys whose values had to be made."""
    made = []
    for key in keys:
        assert cache.get(key, lambda key=key: made.append(key) or _Sized(key)).key == key
    return made


@pytest.mark.parametrize(
    ("limits", "made"),
    [
        ({}, [0, 1, 2]),
        ({"max_entries": 2}, [0, 1, 2, 1, 0]),  # 0 is asked for again before 2 comes: 1 goes
        ({"max_bytes": 25}, [0, 1, 2, 1, 0]),
        ({"max_entries": 2, "replace": False}, [0, 1, 2]),
        ({"max_bytes": 25, "replace": False}, [0, 1, 2]),
        ({"max_bytes": 5}, [0, 1, 0, 2, 1, 0]),  # nothing fits
    ],
    ids=str,
)
def test_a_bounded_cache_makes_again_only_what_it_dropped(limits, made):
    cache: BoundedCache[_Sized] = BoundedCache(**limits)
    assert _asked(cache, [0, 1, 0, 2, 1, 0]) == made
    assert len(cache) == {5: 0}.get(limits.get("max_bytes"), 3 if not limits else 2)


def test_values_of_tensors_are_made_again_when_a_tensor_is_replaced_or_written_to():
    cache, made, x = TensorCache(), [], torch.ones(2)

    def doubled(t: torch.Tensor, key: str = "a") -> torch.Tensor:
        return cache.get(key, [t], lambda: made.append(key) or 2 * t)

    assert doubled(x) is doubled(x)
    doubled(x, "b")
    assert made == ["a", "b"]
    x.add_(1)
    assert doubled(x).tolist() == [4, 4]
    assert doubled(x.clone()) is not doubled(x)
    assert made == ["a", "b", "a", "a", "a"]
    assert set(cache.values()) == {"a", "b"}


def test_values_of_tensors_with_gradients_are_not_kept():
    cache, x = TensorCache(), torch.ones(2, requires_grad=True)
    for _ in range(2):  # each backward pass needs an autograd graph of its own
        cache.get("a", [x], lambda: 2 * x).sum().backward()
    assert not cache.values()
    with torch.no_grad():
        assert cache.get("a", [x], lambda: 2 * x) is cache.get("a", [x], lambda: 2 * x)


def test_tensors_and_tuples_of_tensors_are_made_once_and_serve_autograd():
    calls = []

    @cached
    def pair(n: int) -> tuple[torch.Tensor, torch.Tensor]:
        calls.append(n)
        return torch.ones(n), torch.zeros(n)

    with torch.inference_mode():
        first = pair(3)
    assert pair(3) is first
    assert calls == [3]
    assert not any(t.is_inference() for t in first)
    with torch.inference_mode():
        assert torch.ones(3).is_inference(), "control"


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (polyhedral._generators, ("O",)),
        (polyhedral._elements, ("T",)),
        (fourier._transforms, ("sphere", 1, 6)),
        (intertwiner._intertwiners, (SO3().irrep("2"), SO3().irrep("2"))),
    ],
    ids=["generators", "elements", "transforms", "intertwiners"],
)
def test_tables_made_in_inference_mode_can_be_trained_with(function, arguments):
    bare = function.__wrapped__
    with torch.inference_mode():
        inside = cached(bare)(*arguments)
        control = bare(*arguments)
    for table in inside if isinstance(inside, tuple) else (inside,):
        weight = torch.ones(table.shape, dtype=table.dtype, requires_grad=True)
        (weight * table).sum().backward()
    assert (control[0] if isinstance(control, tuple) else control).is_inference(), (
        "control: the bare function's are not"
    )


def test_the_basis_of_intertwiners_is_one_object():
    rho = Polyhedral("O").standard()
    assert intertwiners(rho, rho) is intertwiners(rho, rho)
