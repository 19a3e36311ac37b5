"""Options of losses over labels: the terms of the sum, and the weights of the classes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from gaugenet.tasks.training.options import TaskError, check

TERMS = ("cross_entropy", "focal", "dice", "jaccard")
_METHODS = {"none": "none", "inverse": "inverse", "balanced": "inverse", "effective": "effective"}


@dataclass(frozen=True)
class LossOptions:
    """The loss over labelled items; items without a label have no influence.

    Attributes:
        terms: cross_entropy, focal, dice and jaccard joined by plus signs, with factors if wanted:
            "cross_entropy + 0.5 * dice".
        class_weights: how much a class counts in cross_entropy and focal: one positive number a class, of which only
            the ratios matter; inverse (of its frequency in the training part) or effective (of its effective number
            of samples); none counts every item once.
        balance: inverse takes frequencies to the power of minus this: 0 counts items, 1 counts classes.
        beta: effective counts n samples as (1 - beta^n) / (1 - beta).
        focus: exponent of the focal loss.

    Example:
        >>> from gaugenet.tasks import LossOptions
        >>> LossOptions(terms="cross_entropy + 0.5 * dice").parsed_terms
        (('cross_entropy', 1.0), ('dice', 0.5))
    """

    terms: str = "cross_entropy"
    class_weights: list[float] | str | None = None
    balance: float = 1.0
    beta: float = 0.9999
    focus: float = 2.0

    def __post_init__(self) -> None:
        if not self.parsed_terms or any(name not in TERMS for name, _ in self.parsed_terms):
            raise TaskError(
                f"Expected `loss.terms` of {', '.join(TERMS)} joined by + (with factors, such as 0.5 * dice), got "
                f"{self.terms!r}."
            )
        for name, factor in self.parsed_terms:
            check(0 < factor < math.inf, f"loss.terms: factor of {name}", "positive and finite", factor)
        check(0 <= self.balance <= 1, "loss.balance", "in [0, 1]", self.balance)
        check(0 <= self.beta < 1, "loss.beta", "in [0, 1)", self.beta)
        check(self.focus >= 0, "loss.focus", "at least 0", self.focus)
        for number in self.numbers or ():
            check(0 < number < math.inf, "loss.class_weights", "of positive finite numbers", number)
        if not self.numbers and self.method is None:
            raise TaskError(
                "Expected `loss.class_weights` of inverse, effective, none, or one positive number a class such as "
                f"1,2.5,1; got {self.class_weights!r}."
            )

    @property
    def parsed_terms(self) -> tuple[tuple[str, float], ...]:
        """The names of the terms with their factors."""
        return tuple(_term(text) for text in self.terms.split("+") if text.strip())

    @property
    def numbers(self) -> tuple[float, ...] | None:
        """The weights that were given as numbers, if they were."""
        given = self.class_weights
        if isinstance(given, str):
            try:
                return tuple(float(part) for part in given.strip("[]() ").split(","))
            except ValueError:
                return None
        return None if given is None else tuple(map(float, given))

    @property
    def method(self) -> str | None:
        """`none`, `inverse` or `effective`, where the weights are not numbers."""
        given = self.class_weights
        return _METHODS.get(given.strip()) if isinstance(given, str) else "none" if given is None else None

    @property
    def balances_classes(self) -> bool:
        """Whether rare classes count more than their share of the items."""
        return self.method != "none" or any(name in ("dice", "jaccard") for name, _ in self.parsed_terms)

    def describe(self, classes: Sequence[str], weights: Sequence[float] | None) -> dict[str, Any]:
        """Return plain values for a run's description: the options, and the weight of each class by name."""
        by_name = None if weights is None else dict(zip(classes, weights, strict=True))
        return {**asdict(self), "class_weights": by_name, "method": self.method or "numbers"}

    def check_classes(self, classes: Sequence[str]) -> None:
        """Raise `TaskError` unless there is one weight for each class."""
        if self.numbers is not None and len(self.numbers) != len(classes):
            shown = ", ".join(classes[:8]) + (", ..." if len(classes) > 8 else "")
            raise TaskError(
                f"Expected `loss.class_weights` of {len(classes)} numbers, one for each of the classes {shown}; got "
                f"{len(self.numbers)}."
            )


def _term(text: str) -> tuple[str, float]:
    """Parse a term such as `0.5 * dice` into the name and the factor."""
    factor, times, name = text.rpartition("*")
    try:
        return name.strip(), float(factor) if times else 1.0
    except ValueError:
        return text.strip(), 1.0
