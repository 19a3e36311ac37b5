"""LatticeGaugeField: links on a periodic hypercube as a domain of convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Complex, Float, Int
from torch import Tensor

from gaugenet._validation import positive
from gaugenet.geometry.domain import Domain, single_sample
from gaugenet.geometry.lattice import action, loops, symmetry, topology
from gaugenet.geometry.lattice.gauge_fixing import axial_transformation
from gaugenet.geometry.lattice.paths import Path, along, boundary_sign, displacement, line, shifted, straight_paths
from gaugenet.groups import StructureGroup, UnitaryGroup
from gaugenet.groups.group import tolerance

if TYPE_CHECKING:
    from gaugenet.geometry.lattice.graph import LatticeGraph

_LEAST_EXTENT = 3
"""Smallest extent. On shorter axes x + mu and x - mu are the same site, and plaquettes contain a link twice."""


class LatticeGaugeField(Domain):
    r"""Gauge fields U_mu(x) on a periodic hypercube in 2, 3 or 4 dimensions, one for each entry of a batch.

    U_mu(x) is the transporter from x + mu to x; mu counts the axes of `shape`. Features at sites are
    `(B, size, *shape)`, of field types of `group`, which acts on an internal fibre. Under a gauge transformation

        U_mu(x) -> Omega(x) U_mu(x) Omega(x + mu)^+,        features(x) -> rho(Omega(x)) features(x).

    All methods are differentiable with respect to the links. In convolutions with kernels of `Shifts`, the neighbours
    of x are the ends of `paths`, and features are transported along these paths (:cite:`favoni2022lattice`).

    Args:
        links: `(B, d, *shape, N, N)`, complex (`N = 1` for U(1)), every extent at least 3.
        group: `U1()`, `SU(N)` or `U(N)`.
        antiperiodic: axes at whose boundary features change their sign, as fermions do in time. The sign is a factor
            -1 of the transporters of features (without effect on fields of `adjoint` or `matrix`), not of links and
            loops.
        steps: largest distance of the neighbours along each axis, forwards and backwards.
        paths: other paths, each a sequence of pairs (mu, k): k steps along the axis mu.
        check: whether to verify that links lie in the group.

    Raises:
        ValueError: If links are real, have another shape, lie outside the group, or an extent is 1 or 2.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import LatticeGaugeField
        >>> from gaugenet.groups import SU, FieldType
        >>> from gaugenet.kernels import Shifts
        >>> from gaugenet.nn import GaugeConv
        >>> field = LatticeGaugeField.random(SU(2), (8, 8))
        >>> field.mean_plaquette().shape
        torch.Size([1])
        >>> fields = FieldType(SU(2), "1xmatrix")
        >>> conv = GaugeConv(fields, fields, kernel=Shifts(2), dtype=torch.float64)
        >>> conv(torch.rand(1, fields.size, 8, 8, dtype=torch.float64), field).shape
        torch.Size([1, 8, 8, 8])
    """

    def __init__(
        self,
        links: Complex[Tensor, "batch d *shape n n"],
        group: StructureGroup,
        *,
        antiperiodic: Sequence[int] = (),
        steps: int = 1,
        paths: Sequence[Path] | None = None,
        check: bool = True,
    ) -> None:
        if not isinstance(group, UnitaryGroup):
            raise ValueError(
                f"Expected `group` as `U1()`, `SU(N)` or `U(N)`, which acts on an internal fibre, got {group!r}: for "
                "frames of space use `Grid`."
            )
        _check_shape(links, group)
        if check:
            _check_in_group(links, group)
        self.links = links
        self.group: UnitaryGroup = group
        axes = [_axis(mu, self.d) for mu in antiperiodic]
        self.antiperiodic = tuple(mu in axes for mu in range(self.d))
        self.paths = _paths(straight_paths(self.d, positive("steps", steps)) if paths is None else paths, self.d)
        self._graphs: dict[bool, LatticeGraph] = {}
        self._blocked: LatticeGaugeField | None = None

    @classmethod
    def random(
        cls,
        group: UnitaryGroup,
        shape: Sequence[int],
        *,
        batch: int = 1,
        spread: float | None = None,
        generator: torch.Generator | None = None,
        dtype: torch.dtype = torch.float64,
        **options: Any,
    ) -> LatticeGaugeField:
        """Return a field with Haar-distributed links, or links exp(X) with normal coefficients of deviation `spread`.

        For other options see the constructor.
        """
        size = (batch, len(shape), *shape)
        if spread is None:
            links = group.random_element(size, generator=generator, dtype=dtype)
        else:
            t = group.lie_algebra()
            c = spread * torch.randn(*size, len(t), generator=generator, dtype=torch.float64)
            links = group.exp(torch.einsum("...a,aij->...ij", c.to(t.dtype), t)).to(group.identity(dtype).dtype)
        return cls(links, group, check=False, **options)

    # --- shape ----------------------------------------------------------------------------------------------------

    @property
    def d(self) -> int:
        """Dimension of space."""
        return self.links.shape[1]

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of sites along each axis."""
        return tuple(self.links.shape[2:-2])

    @property
    def batch_size(self) -> int:
        return self.links.shape[0]

    @property
    def num_nodes(self) -> int:
        """Number of sites of one configuration."""
        return int(torch.Size(self.shape).numel())

    def with_links(self, links: Complex[Tensor, "batch d *shape n n"], *, check: bool = False) -> LatticeGaugeField:
        """Return the same lattice with other links."""
        axes = [mu for mu, flips in enumerate(self.antiperiodic) if flips]
        return LatticeGaugeField(links, self.group, antiperiodic=axes, paths=self.paths, check=check)

    def with_paths(self, paths: Sequence[Path] | None = None, *, steps: int = 1) -> LatticeGaugeField:
        """Return the same links with other neighbourhoods, see `paths` and `steps` of the class."""
        axes = [mu for mu, flips in enumerate(self.antiperiodic) if flips]
        return LatticeGaugeField(self.links, self.group, antiperiodic=axes, paths=paths, steps=steps, check=False)

    def to(self, *args: Any, **kwargs: Any) -> LatticeGaugeField:
        """Return the field on another device or in another complex precision, as `Tensor.to`."""
        return self.with_links(self.links.to(*args, **kwargs))

    # --- loops ----------------------------------------------------------------------------------------------------

    def plaquette(self, mu: int, nu: int) -> Complex[Tensor, "batch *shape n n"]:
        """Return U_mu(x) U_nu(x + mu) U_mu(x + nu)^+ U_nu(x)^+."""
        return loops.plaquette(self.links, *_plane(mu, nu, self.d))

    def mean_plaquette(self) -> Float[Tensor, "batch"]:
        """Return Re tr P / N, averaged over all plaquettes of each configuration."""
        return loops.mean_plaquette(self.links)

    def wilson_loop(self, mu: int, nu: int, r: int, t: int) -> Complex[Tensor, "batch *shape"]:
        """Return tr W / N of the r x t rectangle with the corner x, r along mu and t along nu."""
        for name, value in (("r", r), ("t", t)):
            if not isinstance(value, Integral) or value < 1:
                raise ValueError(f"Expected `{name}` to be a positive number of links, got {value!r}.")
        return loops.mean_trace(loops.rectangle(self.links, *_plane(mu, nu, self.d), int(r), int(t)))

    def polyakov_matrix(self, mu: int) -> Complex[Tensor, "batch *shape n n"]:
        """Return the product of links from x once around the axis mu; it transforms as a field of `matrix`."""
        return loops.polyakov(self.links, _axis(mu, self.d))

    def polyakov_loop(self, mu: int) -> Complex[Tensor, "batch *transverse"]:
        """Return tr / N of the loop around the axis mu, at the sites of the other axes."""
        return loops.mean_trace(self.polyakov_matrix(mu).select(1 + mu, 0))

    def staples(self, mu: int) -> Complex[Tensor, "batch *shape n n"]:
        """Return A_mu(x), the sum of the staples: S = const - beta / N Re tr(U_mu(x) A_mu(x))."""
        return loops.staples(self.links, _axis(mu, self.d))

    # --- action and topology --------------------------------------------------------------------------------------

    def action(self, beta: float) -> Float[Tensor, "batch"]:
        """Return the Wilson action beta sum_{x, mu < nu} (1 - Re tr P / N)."""
        return action.wilson_action(self.links, beta)

    def force(self, beta: float) -> Complex[Tensor, "batch d *shape n n"]:
        """Return the derivative of the action in the Lie algebra: dS = -2 tr(X F) for U -> (1 + X) U of a link."""
        return action.wilson_force(self.links, self.group, beta)

    def gradient_flow(self, time: float, *, steps: int = 10) -> LatticeGaugeField:
        """Return the field smoothed by the Wilson flow up to `time`, in units of the squared lattice spacing."""
        return self.with_links(action.gradient_flow(self.links, self.group, time, steps))

    def field_strength(self, mu: int, nu: int) -> Complex[Tensor, "batch *shape n n"]:
        """Return the clover field strength, anti-Hermitian: a^2 F_{mu nu}."""
        return topology.field_strength(self.links, self.group, *_plane(mu, nu, self.d))

    def topological_density(self) -> Float[Tensor, "batch *shape"]:
        """Return the density of the topological charge."""
        return topology.charge_density(self.links, self.group)

    def topological_charge(self) -> Float[Tensor, "batch"]:
        """Return the topological charge: U(1) in two dimensions (an integer), any group in four (clover)."""
        return self.topological_density().flatten(1).sum(1)

    # --- transport ------------------------------------------------------------------------------------------------

    def transporter(self, path: Path) -> Complex[Tensor, "batch *shape n n"]:
        """Return the transporter of features from the end of a path to x, with the signs of antiperiodic axes.

        Args:
            path: pairs (mu, k): k steps along the axis mu, backwards if k < 0; e.g. `[(0, 1), (1, -2)]`.
        """
        path = [(_axis(mu, self.d), int(k)) for mu, k in path]
        product = along(self.links, path)
        sign = boundary_sign(self.shape, self.antiperiodic, displacement(path, self.d), self.links)
        return product if sign is None else product * sign[..., None, None]

    def neighbor_values(self, x: Tensor, path: Path, *, first: int) -> Tensor:
        """Return x at the end of a path, without transport; `first` is the dimension of the axis 0 in `x`."""
        for axis, k in enumerate(displacement(path, self.d)):
            x = shifted(x, axis, k, first=first)
        return x

    # --- gauge ----------------------------------------------------------------------------------------------------

    def gauge_transform(self, omega: Complex[Tensor, "batch *shape n n"]) -> LatticeGaugeField:
        """Return the field with links Omega(x) U_mu(x) Omega(x + mu)^+.

        Args:
            omega: one element per site. That it lies in the group is not checked, so that tests can use other elements
                as negative controls.

        Raises:
            ValueError: If `omega` has another shape.
        """
        expected = (self.batch_size, *self.shape, self.group.d, self.group.d)
        if tuple(omega.shape) != expected:
            raise ValueError(
                f"Expected `omega` of shape {expected}, one element of {self.group.name} per site, got "
                f"{tuple(omega.shape)}."
            )
        omega = omega.to(self.links)
        links = [omega @ self.links[:, mu] @ shifted(omega, mu, 1).mH for mu in range(self.d)]
        return self.with_links(torch.stack(links, 1))

    def rotate(self, h: Float[Tensor, "d d"]) -> LatticeGaugeField:
        """Return the field rotated or reflected about the site 0: the transporter from h (x + mu) to h x is U_mu(x).

        Antiperiodic axes and paths move as well. `symmetry.rotated_features` rotates features.

        Args:
            h: a signed permutation of the axes, an element of `Hypercubic(d)`.

        Raises:
            ValueError: If h is not a signed permutation of d axes.
        """
        axes, _ = symmetry.signed_permutation(h, self.d)
        flipped = [axes[mu] for mu, flips in enumerate(self.antiperiodic) if flips]
        links, paths = symmetry.moved_links(self.links, h), [symmetry.moved_path(path, h) for path in self.paths]
        return LatticeGaugeField(links, self.group, antiperiodic=flipped, paths=paths, check=False)

    def axial_gauge(self) -> LatticeGaugeField:
        """Return the field in the gauge where all links of a maximal tree are 1, for plots only."""
        return self.gauge_transform(axial_transformation(self.links))

    def blocked(self) -> LatticeGaugeField:
        """Return the lattice of the sites 2 X with the links U_mu(2 X) U_mu(2 X + mu) and the same paths to neighbours.

        It is computed once, unless links require gradients.

        Raises:
            ValueError: If an extent is odd, or below 6.
        """
        if any(n % 2 or n < 2 * _LEAST_EXTENT for n in self.shape):
            raise ValueError(f"Expected even extents of at least {2 * _LEAST_EXTENT}, to be halved, got {self.shape}.")
        if self._blocked is None or self.links.requires_grad:
            even = (slice(None), *[slice(None, None, 2)] * self.d)
            self._blocked = self.with_links(torch.stack([line(self.links, mu, 2)[even] for mu in range(self.d)], 1))
        return self._blocked

    def random_gauge(self, *, generator: torch.Generator | None = None) -> Complex[Tensor, "batch *shape n n"]:
        """Return an independent Haar-distributed element at every site."""
        size = (self.batch_size, *self.shape)
        return self.group.random_element(size, generator=generator, dtype=self.links.dtype)

    # --- the interface to layers, see `Domain` ----------------------------------------------------------------------

    def gauge_graph(self, *, center: bool = False) -> LatticeGraph:
        """Return the same space as a gauge graph: one edge per site and path, with the same transporters.

        Its points are the sites of all configurations, with `x.flatten(2).mT.flatten(0, 1)` as features. With `center`
        each site is also its own neighbour, the last one.
        """
        if center not in self._graphs or self.links.requires_grad:
            from gaugenet.geometry.lattice.graph import lattice_graph

            self._graphs[center] = lattice_graph(self, [*self.paths, ()] if center else self.paths)
        return self._graphs[center]

    @property
    def structures(self) -> frozenset[str]:
        """The group of the links."""
        return frozenset([self.group.name])

    def areas(self, x: Tensor) -> None:
        """Return `None`: all sites have the same volume."""
        return None

    def membership(self) -> tuple[Int[Tensor, "sites"], int]:
        """Return the membership of the sites: one configuration is one sample."""
        return single_sample(self.num_nodes, self.links.device)

    def __repr__(self) -> str:
        return f"LatticeGaugeField({self.group.name}, {'x'.join(map(str, self.shape))}, batch={self.batch_size})"


def _check_in_group(links: Complex[Tensor, "batch d *shape n n"], group: UnitaryGroup) -> None:
    """Raise `ValueError` with the largest distance, and where it is, unless all links lie in the group."""
    distance = group.distance(links.detach())
    worst = distance.max().item() if distance.numel() else 0.0
    if not worst <= tolerance(links):
        b, mu, *site = (int(i) for i in torch.unravel_index(distance.argmax(), distance.shape))
        count = int((distance > tolerance(links)).sum())
        raise ValueError(
            f"Expected `links` in {group.name}, got {count} of {distance.numel()} outside of it, the worst by "
            f"{worst:.2g} (allowed: {tolerance(links):.0e}) in configuration {b}, direction {mu}, at site "
            f"{tuple(site)}: use `group.project(links)`, the nearest links in the group."
        )


def _paths(paths: Sequence[Path], d: int) -> tuple[Path, ...]:
    found = tuple(tuple((_axis(mu, d), int(k)) for mu, k in path) for path in paths)
    if not found or not all(any(displacement(path, d)) for path in found):
        raise ValueError(f"Expected `paths` that lead from a site to others, got {paths}.")
    return found


def _check_shape(links: Tensor, group: UnitaryGroup) -> None:
    n = group.d
    if not isinstance(links, Tensor) or links.dim() < 4 or tuple(links.shape[-2:]) != (n, n):
        got = tuple(links.shape) if isinstance(links, Tensor) else type(links).__name__
        raise ValueError(f"Expected `links` of shape (B, d, *shape, {n}, {n}) for {group.name}, got {got}.")
    d, shape = links.shape[1], tuple(links.shape[2:-2])
    if d not in (2, 3, 4) or len(shape) != d:
        raise ValueError(
            f"Expected `links` of shape (B, d, *shape, {n}, {n}) with d = 2, 3 or 4 extents, got d = {d} and extents "
            f"{shape}."
        )
    if not links.is_complex():
        raise ValueError(
            f"Expected complex `links` of {group.name}, got {links.dtype}: pass `torch.polar(one, angle)` or "
            "`links.to(torch.complex128)`."
        )
    if min(shape) < _LEAST_EXTENT:
        raise ValueError(
            f"Expected extents of at least {_LEAST_EXTENT}, got {shape}: on shorter axes both neighbours of a site are "
            "the same site."
        )


def _axis(mu: int, d: int) -> int:
    if not isinstance(mu, Integral) or not 0 <= mu < d:
        raise ValueError(f"Expected an axis 0, ..., {d - 1}, got {mu!r}.")
    return int(mu)


def _plane(mu: int, nu: int, d: int) -> tuple[int, int]:
    if mu == nu:
        raise ValueError(f"Expected two different axes `mu` and `nu`, got {mu} twice.")
    return _axis(mu, d), _axis(nu, d)


__all__ = [
    "LatticeGaugeField",
]
