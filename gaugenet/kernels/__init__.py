"""Steerable kernels: which weights the kernel constraint allows."""

from gaugenet.kernels.aligned import AlignedBasis
from gaugenet.kernels.basis import KernelBasis
from gaugenet.kernels.harmonic import HarmonicBasis
from gaugenet.kernels.kernel_space import KernelSpace
from gaugenet.kernels.radial import Rings

__all__ = ["AlignedBasis", "HarmonicBasis", "KernelBasis", "KernelSpace", "Rings"]
