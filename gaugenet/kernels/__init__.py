"""Steerable kernels: which weights the kernel constraint allows."""

from gaugenet.kernels._band_limit import BandLimit, band_limit
from gaugenet.kernels._covariants import Covariant, covariants
from gaugenet.kernels.aligned import AlignedBasis
from gaugenet.kernels.basis import KernelBasis
from gaugenet.kernels.covariant_space import CovariantKernelSpace, kernel_space
from gaugenet.kernels.differential import Differential, DifferentialSpace
from gaugenet.kernels.harmonic import FrequencyBasis, HarmonicBasis
from gaugenet.kernels.harmonic_space import KernelSpace
from gaugenet.kernels.radial import GaussianRings, RadialBasis, Rings

__all__ = [
    "AlignedBasis",
    "BandLimit",
    "Covariant",
    "CovariantKernelSpace",
    "Differential",
    "DifferentialSpace",
    "FrequencyBasis",
    "GaussianRings",
    "HarmonicBasis",
    "KernelBasis",
    "KernelSpace",
    "RadialBasis",
    "Rings",
    "band_limit",
    "covariants",
    "kernel_space",
]
