"""TensorPowerGroup: compact groups whose irreps are found by decomposing tensor powers."""

from __future__ import annotations

from collections.abc import Iterator

from gaugenet.groups.group import StructureGroup
from gaugenet.groups.intertwiners.peter_weyl import constituents, renamed, subrepresentation
from gaugenet.groups.representations.base import Representation, standard

_LEVELS: dict[StructureGroup, list[list[Representation]]] = {}


class TensorPowerGroup(StructureGroup):
    """A compact group with a faithful representation, in whose tensor powers all irreps occur (Peter and Weyl).

    An irrep is named by the lowest power k in which it occurs: `k`, or `k.1`, `k.2`, ... if there are several. `0` is
    the trivial one. A group may give other names to some irreps (`_named`).
    """

    def irrep(self, label: int | str) -> Representation:
        text = str(label).strip()
        level, _, _ = text.partition(".")
        found = self._level(int(level)) if level.isdigit() else []
        for rho in found:
            if rho.name == text:
                return rho
        known = ", ".join(f"`{rho.name}`" for rho in self.irreps(None if self.order else 2))
        raise ValueError(
            f"Unknown representation {label!r} of {self.name}: expected {known}{'' if self.order else ', ...'}."
        )

    def irreps(self, max_order: int | None = None) -> list[Representation]:
        """Return all that occur in the tensor powers up to the power `max_order`."""
        if max_order is None and self.order is None:
            raise ValueError(f"{self.name} has infinitely many irreps: pass `max_order`.")
        return [rho for level in self._all_levels(max_order) for rho in level]

    def candidates(self, rho: Representation) -> Iterator[Representation]:
        for level in self._all_levels(None):
            yield from level

    def standard(self) -> Representation:
        first = self._level(1)
        return first[0] if len(first) == 1 and first[0].dim == self._faithful().dim else self._faithful()

    def _faithful(self) -> Representation:
        """Return the representation whose tensor powers are decomposed."""
        return standard(self)

    def _named(self, k: int) -> list[Representation]:
        """Return the irreps of the level k that have names of their own; they come first."""
        return []

    def _all_levels(self, max_order: int | None) -> Iterator[list[Representation]]:
        k = 0
        while (max_order is None or k <= max_order) and (level := self._level(k)):
            yield level
            k += 1

    def _level(self, k: int) -> list[Representation]:
        """Return the irreps that occur in the k-th tensor power and in no lower one; none once a power adds none."""
        levels = _LEVELS.setdefault(self, [[self.trivial()]])
        while len(levels) <= k and levels[-1]:
            levels.append(self._next_level(levels))
        return levels[k] if k < len(levels) else []

    def _next_level(self, levels: list[list[Representation]]) -> list[Representation]:
        known = [rho for level in levels for rho in level]
        if self.order is not None and sum(rho.dim**2 // len(rho.endomorphisms) for rho in known) == self.order:
            return []
        k = len(levels)
        products = [a.tensor(b) for a in levels[-1] for b in levels[1]] if k > 1 else [self._faithful()]
        named = self._named(k)
        found: list[Representation] = []
        for product in products:
            for basis in constituents(product, known + named + found):
                found.append(subrepresentation(product, basis, f"{k}.{len(found) + 1}", k))
        return named + (found if len(found) > 1 or named else [renamed(rho, str(k)) for rho in found])


__all__ = ["TensorPowerGroup"]
