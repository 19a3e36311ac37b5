"""Splits that keep groups together: folds for cross-validation, and parts by fractions."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Hashable, Sequence

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from gaugenet.data.meshes.sample import DataError

Grouping = str | Callable[[str], Hashable]
"""A rule for the group of a mesh by its name."""

_SEPARATORS = "_.,/ -"


def group_names(names: Sequence[str], group: Grouping | None) -> list[Hashable]:
    r"""Return the group of each name.

    Args:
        names: names of meshes.
        group: the rule. A glob such as `patient_*` is matched with the start of a name, a star ends at the next of
            `_ . , / -` or blank, and the group is the match: `patient_07_left` and `patient_07_right` have the group
            `patient_07`. A text with a parenthesis or a backslash is a regular expression, and the group is its first
            group in parentheses (or its match): `(\d+)`. Several patterns are separated by commas, and the first one
            that matches is used. A function maps a name to its group. `None` makes every mesh a group.

    Raises:
        DataError: If a pattern matches no name, or names match no pattern.
        ValueError: If a regular expression is invalid.

    Example:
        >>> from gaugenet.data import group_names
        >>> group_names(["patient_07_left", "patient_07_right", "patient_12"], "patient_*")
        ['patient_07', 'patient_07', 'patient_12']
    """
    if group is None:
        return [(k, name) for k, name in enumerate(names)]
    if callable(group):
        return [group(name) for name in names]
    patterns = {text: _compiled(text) for text in _patterns(group)}
    found: list[Hashable] = []
    used: Counter[str] = Counter()
    for name in names:
        text, match = next(((t, m) for t, p in patterns.items() if (m := p.search(name))), (None, None))
        used[text or ""] += 1
        found.append(None if match is None else (match[1] if match.re.groups else match[0]))
    for text in patterns:
        if not used[text]:
            raise DataError(f"group={text!r} matches none of the {len(names)} names, such as {_some(names)}.")
    if None in found:
        lost = [name for name, one in zip(names, found) if one is None]
        raise DataError(
            f"group={group!r} does not match {len(lost)} of {len(names)} names, such as {_some(lost)}: widen the "
            "pattern, or add another one after a comma."
        )
    return found


def grouped_by(keys: Sequence[str], names: Sequence[str], group: Grouping | None) -> Callable[[str], Hashable] | None:
    """Return a grouping of unique keys by names that may be equal."""
    return None if group is None else dict(zip(keys, group_names(names, group), strict=True)).__getitem__


def split_folds(
    names: Sequence[str],
    folds: int,
    *,
    group: Grouping | None = None,
    labels: Sequence[Hashable] | None = None,
    seed: int = 0,
) -> Int[ndarray, "names"]:
    """Return the fold of each mesh, 0 .. folds - 1.

    Meshes of one group are in the same fold, and the folds have about equal size. Groups are assigned in random order,
    large ones first, to the fold with the fewest of their classes and then the fewest meshes. Without groups, sizes and
    the numbers of each class differ by at most one. The fold of a mesh depends on the set of names and the seed, not on
    the order of the names.

    Args:
        names: names of the meshes, all different.
        folds: number of folds, at least 2.
        group: see `group_names`.
        labels: the class of each mesh; classes are distributed evenly over the folds.
        seed: seed of the random order.

    Raises:
        ValueError: If there are fewer than two folds, equal names, or not one label for each name.
        DataError: If there are fewer groups than folds, or a pattern does not match the names.

    Example:
        >>> from gaugenet.data import split_folds
        >>> split_folds(["p1_a", "p1_b", "p2_a", "p2_b"], 2, group="p*").tolist()
        [0, 0, 1, 1]
    """
    if folds < 2:
        raise ValueError(f"Expected at least 2 `folds`, got {folds}.")
    if len(set(names)) < len(names):
        twice = [name for name, count in Counter(names).items() if count > 1]
        raise ValueError(f"Expected different `names`, got {_some(twice)} more than once.")
    if labels is not None and len(labels) != len(names):
        raise ValueError(f"Expected one label for each of the {len(names)} names, got {len(labels)}.")
    groups, sizes = _counted(names, group_names(names, group), labels, seed)
    if len(groups) < folds:
        what = f"the {len(names)} meshes" if group is None else f"{len(groups)} groups of {len(names)} meshes"
        raise DataError(f"{what} cannot be split into {folds} folds: lower `folds`, or make the groups smaller.")
    chosen = np.empty(len(names), dtype=np.int64)
    filled = np.zeros((folds, sizes.shape[1]))
    for k in np.argsort(-sizes.sum(axis=1), kind="stable"):
        same = (filled * sizes[k] / sizes.sum(axis=0)).sum(axis=1)
        fold = int(np.lexsort((filled.sum(axis=1), same.round(9)))[0])
        filled[fold] += sizes[k]
        chosen[groups[k]] = fold
    return chosen


def split_fractions(
    names: Sequence[str], fractions: Sequence[float], *, group: Grouping | None = None, seed: int = 0
) -> Int[ndarray, "names"]:
    """Return the part of each mesh in a random split; meshes of one group are in the same part.

    Args:
        names: names of the meshes, sorted.
        fractions: approximate fraction of each part.
        group: see `group_names`.
        seed: seed of the random order.

    Raises:
        ValueError: If the fractions are negative, or do not sum to 1.
        DataError: If a pattern does not match the names.

    Example:
        >>> import numpy as np
        >>> from gaugenet.data import split_fractions
        >>> part = split_fractions([f"mesh_{k:02d}" for k in range(20)], (0.8, 0.1, 0.1))
        >>> np.bincount(part).tolist()
        [16, 2, 2]
    """
    if min(fractions, default=-1) < 0 or not np.isclose(sum(fractions), 1.0):
        raise ValueError(f"Expected non-negative `fractions` with sum 1, got {tuple(fractions)}.")
    groups, sizes = _counted(names, group_names(names, group), None, seed)
    ends = np.round(np.cumsum(fractions) * len(names)).astype(int)
    last = np.cumsum(sizes[:, 0])
    chosen = np.empty(len(names), dtype=np.int64)
    for members, middle in zip(groups, last - sizes[:, 0] / 2):
        chosen[members] = min(int(np.searchsorted(ends, middle, side="right")), len(ends) - 1)
    return chosen


def _counted(
    names: Sequence[str], groups: Sequence[Hashable], labels: Sequence[Hashable] | None, seed: int
) -> tuple[list[list[int]], Int[ndarray, "groups classes"]]:
    """Return the members of each group and their numbers by class, in a random order for this set of names."""
    members: dict[Hashable, list[int]] = {}
    for index in sorted(range(len(names)), key=lambda k: names[k]):
        members.setdefault(groups[index], []).append(index)
    ordered = list(members.values())
    ordered = [ordered[k] for k in np.random.default_rng(seed).permutation(len(ordered))]
    given = [0] * len(names) if labels is None else list(labels)
    columns = {label: k for k, label in enumerate(dict.fromkeys(given))}
    sizes = np.zeros((len(ordered), max(1, len(columns))), dtype=np.int64)
    for row, inside in zip(sizes, ordered):
        for index in inside:
            row[columns[given[index]]] += 1
    return ordered, sizes


def _patterns(text: str) -> list[str]:
    """Return the patterns between commas; a regular expression may contain commas."""
    if "(" in text or "\\" in text:
        return [text]
    return [part.strip() for part in text.split(",") if part.strip()]


def _compiled(text: str) -> re.Pattern[str]:
    if "(" in text or "\\" in text:
        try:
            return re.compile(text)
        except re.error as error:
            raise ValueError(f"Expected a glob or a regular expression as `group`, got {text!r}: {error}.") from error
    one = f"[^{re.escape(_SEPARATORS)}]"
    tokens = re.findall(r"\[!?[^\]]+\]|.", text, re.DOTALL)
    special = {"*": f"{one}*", "?": one}
    body = "".join(special.get(t, t.replace("[!", "[^") if len(t) > 1 else re.escape(t)) for t in tokens)
    return re.compile(f"^{body}(?!{one})")


def _some(names: Sequence[str], shown: int = 3) -> str:
    return ", ".join(names[:shown]) + (", ..." if len(names) > shown else "")
