"""Steerable kernels: the linear spaces of kernels that satisfy the kernel constraint."""

from gaugenet._lazy import lazy_exports
from gaugenet.kernels._band_limit import BandLimit, band_limit
from gaugenet.kernels._covariants import Covariant, covariants
from gaugenet.kernels.aligned import AlignedBasis
from gaugenet.kernels.basis import KernelBasis
from gaugenet.kernels.clifford.clifford_space import Clifford, CliffordSpace
from gaugenet.kernels.covariant_space import CovariantSpace
from gaugenet.kernels.differential import Differential, DifferentialSpace
from gaugenet.kernels.family import Harmonic, KernelFamily, kernel_space
from gaugenet.kernels.harmonic import FrequencyBasis, HarmonicBasis
from gaugenet.kernels.harmonic_space import HarmonicSpace
from gaugenet.kernels.implicit import Implicit, ImplicitPolynomial
from gaugenet.kernels.implicit_space import ImplicitSpace
from gaugenet.kernels.kernel_sum import KernelSum
from gaugenet.kernels.named import kernel_from_text
from gaugenet.kernels.polynomial_space import PolynomialSpace
from gaugenet.kernels.radial import GaussianRings, RadialBasis, Rings
from gaugenet.kernels.shifts import Shifts, ShiftSpace
from gaugenet.kernels.space import KernelSpace, Neighborhood

__all__ = [
    "AlignedBasis",
    "BandLimit",
    "Clifford",
    "CliffordSpace",
    "Covariant",
    "CovariantSpace",
    "Differential",
    "DifferentialSpace",
    "FrequencyBasis",
    "GaussianRings",
    "Harmonic",
    "HarmonicBasis",
    "HarmonicSpace",
    "Implicit",
    "ImplicitPolynomial",
    "ImplicitSpace",
    "KernelBasis",
    "KernelFamily",
    "KernelSpace",
    "KernelSum",
    "Neighborhood",
    "PolynomialSpace",
    "RadialBasis",
    "Rings",
    "ShiftSpace",
    "Shifts",
    "band_limit",
    "covariants",
    "kernel_from_text",
    "kernel_space",
]

__getattr__, __dir__ = lazy_exports(__name__)
