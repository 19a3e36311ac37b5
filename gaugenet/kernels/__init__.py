"""Steerable kernels: which weights the kernel constraint allows."""

from gaugenet._lazy import lazy_exports
from gaugenet.kernels._band_limit import BandLimit, band_limit
from gaugenet.kernels._covariants import Covariant, covariants
from gaugenet.kernels.aligned import AlignedBasis
from gaugenet.kernels.basis import KernelBasis
from gaugenet.kernels.covariant_space import CovariantSpace
from gaugenet.kernels.family import Harmonic, KernelFamily, kernel_space
from gaugenet.kernels.harmonic import FrequencyBasis, HarmonicBasis
from gaugenet.kernels.harmonic_space import HarmonicSpace
from gaugenet.kernels.radial import GaussianRings, RadialBasis, Rings
from gaugenet.kernels.space import KernelSpace, Neighborhood

__all__ = [
    "AlignedBasis",
    "BandLimit",
    "Covariant",
    "CovariantSpace",
    "FrequencyBasis",
    "GaussianRings",
    "Harmonic",
    "HarmonicBasis",
    "HarmonicSpace",
    "KernelBasis",
    "KernelFamily",
    "KernelSpace",
    "Neighborhood",
    "RadialBasis",
    "Rings",
    "band_limit",
    "covariants",
    "kernel_space",
]

__getattr__, __dir__ = lazy_exports(__name__)
