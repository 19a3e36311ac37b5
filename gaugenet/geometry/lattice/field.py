"""LatticeGaugeField: links on a periodic hypercube as a domain of convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Complex, Float, Int
from torch import Tensor

from gaugenet._transforms import version_of
from gaugenet._validation import positive
from gaugenet.geometry.domain import Domain, single_sample
from gaugenet.geometry.lattice import action, arguments, loops, symmetry, topology
from gaugenet.geometry.lattice.arguments import LEAST_EXTENT
from gaugenet.geometry.lattice.gauge_fixing import axial_transformation
from gaugenet.geometry.lattice.paths import Path, along, boundary_sign, displacement, line, shifted, straight_paths
from gaugenet.groups import StructureGroup, UnitaryGroup

if TYPE_CHECKING:
    from gaugenet.geometry.lattice.graph import LatticeGraph


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
        self.group: UnitaryGroup = arguments.unitary_group(group)
        arguments.check_links(links, self.group)
        if check:
            arguments.check_in_group("links", links, self.group, directions=True)
        self.links = links
        axes = arguments.axes(antiperiodic, self.d)
        self.antiperiodic = tuple(mu in axes for mu in range(self.d))
        straight = straight_paths(self.d, positive("steps", steps))
        self.paths = arguments.neighbor_paths(straight if paths is None else paths, self.d)
        self._graphs: dict[bool, LatticeGraph] = {}
        self._blocked: LatticeGaugeField | None = None
        self._version = 0 if torch.compiler.is_compiling() else version_of(links)

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

        Raises:
            ValueError: If an argument is invalid, e.g. an extent is 1 or 2.
        """
        group, shape = arguments.unitary_group(group), arguments.lattice_shape(shape)
        size = (positive("batch", batch), len(shape), *shape)
        if spread is None:
            links = group.random_element(size, generator=generator, dtype=dtype)
        else:
            t = group.lie_algebra()
            c = arguments.finite("spread", spread, least=0.0) * torch.randn(
                *size, len(t), generator=generator, dtype=torch.float64
            )
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
        return loops.plaquette(self.links, *arguments.plane(mu, nu, self.d))

    def mean_plaquette(self) -> Float[Tensor, "batch"]:
        """Return Re tr P / N, averaged over all plaquettes of each configuration."""
        return loops.mean_plaquette(self.links)

    def wilson_loop(self, mu: int, nu: int, r: int, t: int) -> Complex[Tensor, "batch *shape"]:
        """Return tr W / N of the r x t rectangle with the corner x, r along mu and t along nu."""
        sides = arguments.side("r", r), arguments.side("t", t)
        return loops.mean_trace(loops.rectangle(self.links, *arguments.plane(mu, nu, self.d), *sides))

    def polyakov_matrix(self, mu: int) -> Complex[Tensor, "batch *shape n n"]:
        """Return the product of links from x once around the axis mu; it transforms as a field of `matrix`."""
        return loops.polyakov(self.links, arguments.axis(mu, self.d))

    def polyakov_loop(self, mu: int) -> Complex[Tensor, "batch *transverse"]:
        """Return tr / N of the loop around the axis mu, at the sites of the other axes."""
        return loops.mean_trace(self.polyakov_matrix(mu).select(1 + mu, 0))

    def staples(self, mu: int) -> Complex[Tensor, "batch *shape n n"]:
        """Return A_mu(x), the sum of the staples: S = const - beta / N Re tr(U_mu(x) A_mu(x))."""
        return loops.staples(self.links, arguments.axis(mu, self.d))

    # --- action and topology --------------------------------------------------------------------------------------

    def action(self, beta: float) -> Float[Tensor, "batch"]:
        """Return the Wilson action beta sum_{x, mu < nu} (1 - Re tr P / N)."""
        return action.wilson_action(self.links, arguments.finite("beta", beta))

    def force(self, beta: float) -> Complex[Tensor, "batch d *shape n n"]:
        """Return the derivative of the action in the Lie algebra: dS = -2 tr(X F) for U -> (1 + X) U of a link."""
        return action.wilson_force(self.links, self.group, arguments.finite("beta", beta))

    def gradient_flow(self, time: float, *, steps: int = 10) -> LatticeGaugeField:
        """Return the field smoothed by the Wilson flow up to `time`, in units of the squared lattice spacing.

        Raises:
            ValueError: If `time` is negative or not finite, or steps are so long that the scheme is unstable.
        """
        time, steps = arguments.flow_options(time, steps, self.d)
        return self.with_links(action.gradient_flow(self.links, self.group, time, steps))

    def field_strength(self, mu: int, nu: int) -> Complex[Tensor, "batch *shape n n"]:
        """Return the clover field strength, anti-Hermitian: a^2 F_{mu nu}."""
        return topology.field_strength(self.links, self.group, *arguments.plane(mu, nu, self.d))

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
        path = arguments.path(path, self.d)
        product = along(self.links, path)
        sign = boundary_sign(self.shape, self.antiperiodic, displacement(path, self.d), self.links)
        return product if sign is None else product * sign[..., None, None]

    def neighbor_values(self, x: Tensor, path: Path, *, first: int) -> Tensor:
        """Return x at the end of a path, without transport; `first` is the dimension of the axis 0 in `x`."""
        for axis, k in enumerate(displacement(path, self.d)):
            x = shifted(x, axis, k, first=first)
        return x

    # --- gauge ----------------------------------------------------------------------------------------------------

    def gauge_transform(self, omega: Complex[Tensor, "batch *shape n n"], *, check: bool = True) -> LatticeGaugeField:
        """Return the field with links Omega(x) U_mu(x) Omega(x + mu)^+.

        Args:
            omega: one element per site.
            check: whether to verify that `omega` lies in the group. Other matrices are negative controls of tests.

        Raises:
            ValueError: If `omega` has another shape, or lies outside the group.
        """
        expected = self.batch_size, *self.shape, self.group.d, self.group.d
        arguments.check_gauge(omega, expected, self.group, self.links)
        if check and not torch.compiler.is_compiling():
            arguments.check_in_group("omega", omega, self.group, directions=False)
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
        return self.gauge_transform(axial_transformation(self.links), check=False)

    def blocked(self) -> LatticeGaugeField:
        """Return the lattice of the sites 2 X with the links U_mu(2 X) U_mu(2 X + mu) and the same paths to neighbours.

        It is computed once, unless links require gradients.

        Raises:
            ValueError: If an extent is odd, or below 6.
        """
        if any(n % 2 or n < 2 * LEAST_EXTENT for n in self.shape):
            raise ValueError(f"Expected even extents of at least {2 * LEAST_EXTENT}, to be halved, got {self.shape}.")
        self._forget_if_written()
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
        self._forget_if_written()
        if center not in self._graphs or self.links.requires_grad:
            from gaugenet.geometry.lattice.graph import lattice_graph

            self._graphs[center] = lattice_graph(self, [*self.paths, ()] if center else self.paths)
        return self._graphs[center]

    def _forget_if_written(self) -> None:
        """Drop what was computed from the links if they have been written to since."""
        if not torch.compiler.is_compiling() and self._version != version_of(self.links):
            self._graphs, self._blocked, self._version = {}, None, version_of(self.links)

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


__all__ = [
    "LatticeGaugeField",
]
