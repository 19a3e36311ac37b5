"""Kernel families: a kind of kernels with its options, independent of field types."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from gaugenet.groups import FieldType
from gaugenet.kernels.covariant_space import CovariantSpace
from gaugenet.kernels.harmonic_space import HarmonicSpace
from gaugenet.kernels.pointwise import PointwiseSpace
from gaugenet.kernels.radial import RadialBasis
from gaugenet.kernels.space import KernelSpace


class KernelFamily(ABC):
    """A kind of steerable kernels with its options: the argument `kernel` of every convolution.

    Subclasses are frozen dataclasses, so that they are compared by their options and `kernel_from_text` reads their
    `repr`.
    """

    @abstractmethod
    def space(self, in_type: FieldType, out_type: FieldType) -> KernelSpace:
        """Return the kernels of this kind between two field types.

        Raises:
            ValueError: If the types have different groups, or there is no such kernel between them.
        """

    def __add__(self, other: KernelFamily) -> KernelFamily:
        """Return the sums of one kernel of each family, a `KernelSum`."""
        if not isinstance(other, KernelFamily):
            return NotImplemented
        from gaugenet.kernels.kernel_sum import KernelSum

        return KernelSum(*self.terms, *other.terms)

    @property
    def terms(self) -> tuple[KernelFamily, ...]:
        """The families of which this one is the sum."""
        return (self,)


@dataclass(frozen=True)
class Harmonic(KernelFamily):
    """Radial functions times harmonics: all kernels of compact groups, and of O(p, q), GL(d), SL(d) and scalings.

    Source: :cite:`lang2021wigner` for compact groups; see `HarmonicSpace` and `CovariantSpace`.

    Args:
        rings: radial functions: a number of `Rings`, or any `RadialBasis`.
        max_frequency: angular band limit, see `HarmonicSpace` and `CovariantSpace`.

    Example:
        >>> from gaugenet.groups import SO2, FieldType
        >>> from gaugenet.kernels import Harmonic
        >>> Harmonic(rings=2).space(FieldType(SO2(), "1x0"), FieldType(SO2(), "1x0 + 1x1"))
        HarmonicSpace(1x0 -> 1x0 + 1x1, SO(2), rings=2)
    """

    rings: int | RadialBasis = 2
    max_frequency: int | Sequence[int] | None = None

    def space(self, in_type: FieldType, out_type: FieldType) -> PointwiseSpace:
        kind = HarmonicSpace if in_type.group.compact else CovariantSpace
        return kind(in_type, out_type, rings=self.rings, max_frequency=self.max_frequency)


def kernel_family(
    kernel: KernelFamily | None, rings: int | RadialBasis | None, max_frequency: int | Sequence[int] | None
) -> KernelFamily:
    """Return `kernel`, or the `Harmonic` family with these `rings` and `max_frequency`.

    Raises:
        ValueError: If both are given, or `kernel` is not a family.
    """
    if kernel is None:
        return Harmonic(2 if rings is None else rings, max_frequency)
    if not isinstance(kernel, KernelFamily):
        raise ValueError(f"Expected `kernel` to be a kernel family such as Harmonic(rings=2), got {kernel!r}.")
    if rings is not None or max_frequency is not None:
        raise ValueError(
            "`rings` and `max_frequency` are the short form of kernel=Harmonic(...): pass them to the family, "
            f"not next to kernel={kernel!r}."
        )
    return kernel


def kernel_space(
    in_type: FieldType,
    out_type: FieldType,
    *,
    rings: int | RadialBasis,
    max_frequency: int | Sequence[int] | None = None,
) -> PointwiseSpace:
    """Return the `Harmonic` kernels between two field types.

    Args:
        in_type: field type of the input.
        out_type: field type of the output, of the same group.
        rings: radial functions: a number of `Rings`, or any `RadialBasis`.
        max_frequency: angular band limit, see `HarmonicSpace` and `CovariantSpace`.

    Raises:
        ValueError: If the types have different groups, or there is no such kernel between them.

    Example:
        >>> from gaugenet.groups import SO2, FieldType
        >>> from gaugenet.kernels import kernel_space
        >>> kernel_space(FieldType(SO2(), "1x0"), FieldType(SO2(), "1x1"), rings=3).num_weights  # 2 for each ring
        6
    """
    return Harmonic(rings, max_frequency).space(in_type, out_type)


__all__ = ["Harmonic", "KernelFamily", "kernel_family", "kernel_space"]
