"""SphericalHarmonicTransform: fields on a Gaussian grid as sums of spherical harmonics, and their derivatives."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from jaxtyping import Complex, Float
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet._validation import positive
from gaugenet.data.climate.latlon import LatLonGrid


class SphericalHarmonicTransform:
    r"""Coefficients of real fields in spherical harmonics up to a degree, with triangular truncation.

    A field is :math:`f = \sum_{|m| \le n \le T} a_{mn} P_{mn}(\mu) e^{i m \lambda}`, :math:`\mu` the sine of the
    latitude and :math:`\int_{-1}^1 P_{mn}^2 d\mu = 1`. The coefficients with `m >= 0` are an array `(T + 1, T + 1)`:
    row `m`, column `n`. The grid is large enough that products of two fields are transformed without aliasing
    :cite:`orszag1970transform`. Lengths are in units of the radius: the sphere is the unit sphere.

    Args:
        truncation: the largest degree T.

    Attributes:
        grid: `LatLonGrid` at the Gaussian latitudes, from north to south.

    Raises:
        ValueError: If the truncation is not a positive integer.

    Example:
        >>> from gaugenet.data.climate.spectral import SphericalHarmonicTransform
        >>> transform = SphericalHarmonicTransform(10)
        >>> field = transform.grid.points[..., 2]
        >>> bool(abs(transform.synthesis(transform.analysis(field)) - field).max() < 1e-14)
        True
    """

    def __init__(self, truncation: int) -> None:
        self.truncation = positive("truncation", truncation, at_most=1000)
        height = -2 * (-(3 * truncation + 1) // 4)
        self.grid = LatLonGrid.gaussian(height, 2 * height)
        nodes, weights = np.polynomial.legendre.leggauss(height)
        self.sine, self._weight = nodes[::-1], weights[::-1]
        self._m, self._n = np.arange(truncation + 1)[:, None], np.arange(truncation + 1)[None]
        known = _legendre(truncation + 1, self.sine)
        self._value = np.where(self._n >= self._m, known[:, :-1, :-1], 0.0).transpose(1, 0, 2)
        self._slope = np.where(self._n >= self._m, _slopes(known), 0.0).transpose(1, 0, 2)
        # transposed and multiplied by the weights of quadrature: from latitudes to coefficients
        self._to_value = np.ascontiguousarray((self._value * self._weight[None, :, None]).swapaxes(1, 2))
        inverse = self._weight / (1 - self.sine**2)
        self._to_over = np.ascontiguousarray((self._value * inverse[None, :, None]).swapaxes(1, 2))
        self._to_slope = np.ascontiguousarray((self._slope * inverse[None, :, None]).swapaxes(1, 2))

    def __repr__(self) -> str:
        return f"SphericalHarmonicTransform({self.truncation})"

    @cached_property
    def eigenvalues(self) -> Float[ndarray, "one degrees"]:
        """Eigenvalues `-n (n + 1)` of the Laplacian, by degree."""
        return typed_array(-self._n * (self._n + 1.0))

    @cached_property
    def inverse_eigenvalues(self) -> Float[ndarray, "one degrees"]:
        """Eigenvalues of the inverse Laplacian on fields of mean zero; 0 for the mean."""
        with np.errstate(divide="ignore"):
            return np.where(self._n > 0, 1.0 / self.eigenvalues, 0.0)

    # --- fields -------------------------------------------------------------------------------------------------

    def analysis(self, field: Float[ndarray, "*b height width"]) -> Complex[ndarray, "*b orders degrees"]:
        """Return the coefficients of fields on the grid; the part above the truncation is removed."""
        return _by_order(self._to_value, self._fourier(field))

    def synthesis(self, coefficients: Complex[ndarray, "*b orders degrees"]) -> Float[ndarray, "*b height width"]:
        """Return the fields on the grid."""
        return self._evaluate(self._value, coefficients)

    # --- vector fields ------------------------------------------------------------------------------------------

    def wind(
        self, vorticity: Complex[ndarray, "*b orders degrees"], divergence: Complex[ndarray, "*b orders degrees"]
    ) -> Float[ndarray, "*b 2 height width"]:
        """Return the eastward and northward components times the cosine of the latitude.

        Their means over the globe are zero.
        """
        stream, potential = vorticity * self.inverse_eigenvalues, divergence * self.inverse_eigenvalues
        along = self._evaluate(self._value, 1j * self._m * np.stack([potential, stream], -3))
        return typed_array(along + self._evaluate(self._slope, np.stack([-stream, potential], -3)))

    def divergence(self, flux: Float[ndarray, "*b 2 height width"]) -> Complex[ndarray, "*b orders degrees"]:
        """Return the divergence of a vector field, given by its components times the cosine of the latitude."""
        east, north = np.moveaxis(self._fourier(flux), -3, 0)
        return typed_array(_by_order(self._to_over, 1j * self._m * east) - _by_order(self._to_slope, north))

    def curl(self, flux: Float[ndarray, "*b 2 height width"]) -> Complex[ndarray, "*b orders degrees"]:
        """Return the vertical component of the curl; the input is that of `divergence`."""
        return self.divergence(np.stack([flux[..., 1, :, :], -flux[..., 0, :, :]], -3))

    # --- means --------------------------------------------------------------------------------------------------

    def mean(self, field: Float[ndarray, "*b height width"]) -> Float[ndarray, "*b"]:
        """Return the mean over the sphere, by Gaussian quadrature."""
        return typed_array(field.mean(-1) @ self._weight / 2)

    def power(self, coefficients: Complex[ndarray, "*b orders degrees"]) -> Float[ndarray, "*b degrees"]:
        """Return the mean square of a field by degree; the sum is the mean square of the field."""
        square = np.abs(coefficients) ** 2 / 2
        return typed_array(square[..., 0, :] + 2 * square[..., 1:, :].sum(-2))

    # --- steps of the transform -------------------------------------------------------------------------------------

    def _fourier(self, field: ndarray) -> Complex[ndarray, "*b orders height"]:
        from scipy import fft

        waves = fft.rfft(field, axis=-1, norm="forward")[..., : self.truncation + 1]
        return typed_array(np.swapaxes(waves, -1, -2))

    def _evaluate(self, table: ndarray, coefficients: ndarray) -> ndarray:
        from scipy import fft

        waves = np.swapaxes(_by_order(table, coefficients), -1, -2)
        return typed_array(fft.irfft(waves, n=len(self.grid.lon), axis=-1, norm="forward"))


def _by_order(table: Float[ndarray, "orders i j"], values: Complex[ndarray, "*b orders j"]) -> ndarray:
    """Multiply by one real matrix for each order; real and imaginary parts are columns of one product."""
    flat = np.moveaxis(np.asarray(values, dtype=np.complex128).reshape(-1, *values.shape[-2:]), 0, -1)
    columns = np.ascontiguousarray(flat).view(np.float64)
    product = np.ascontiguousarray(table @ columns).view(np.complex128)
    return np.moveaxis(product, -1, 0).reshape(*values.shape[:-1], table.shape[1])


def _legendre(degree: int, x: Float[ndarray, "n"]) -> Float[ndarray, "n orders degrees"]:
    """Return orthonormal associated Legendre functions without the sign (-1)^m, by the three-term recurrence."""
    values = np.zeros((len(x), degree + 1, degree + 1))
    values[:, 0, 0] = np.sqrt(0.5)
    for n in range(1, degree + 1):
        orders = np.arange(n)
        before = values[:, :n, n - 2] * _step(n - 1, orders)  # for n = 1 this is the column -1, which is still zero
        values[:, :n, n] = (x[:, None] * values[:, :n, n - 1] - before) / _step(n, orders)
        values[:, n, n] = np.sqrt((2 * n + 1) / (2 * n) * (1 - x**2)) * values[:, n - 1, n - 1]
    return values


def _slopes(values: Float[ndarray, "n orders degrees"]) -> Float[ndarray, "n orders degrees"]:
    """Return (1 - x^2) dP/dx, up to one degree less than the input."""
    degree = values.shape[2] - 2
    n, m = np.arange(degree + 1)[None], np.arange(degree + 1)[:, None]
    below = np.concatenate([np.zeros_like(values[:, :, :1]), values[:, :, :-2]], axis=2)[:, :-1]
    return typed_array((n + 1) * _step(n, m) * below - n * _step(n + 1, m) * values[:, :-1, 1:])


def _step(n: ndarray | int, m: ndarray) -> ndarray:
    """Return the factor of the recurrence x P_n = step(n + 1) P_(n + 1) + step(n) P_(n - 1)."""
    return typed_array(np.sqrt(np.maximum(np.square(n) - np.square(m), 0) / (4.0 * np.square(n) - 1.0).clip(1.0)))
