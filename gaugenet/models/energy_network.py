"""EnergyNetwork: energies and conservative forces of atoms."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from gaugenet._typing import typed_tensor
from gaugenet._validation import positive, positive_number
from gaugenet.geometry import PointCloud
from gaugenet.groups import O3, SO3, FieldType, StructureGroup, group_from_name
from gaugenet.kernels import Implicit
from gaugenet.nn import EquivariantLinear, GatedNonlinearity, GaugeConv, TensorProductNonlinearity

if TYPE_CHECKING:
    from gaugenet.geometry import GaugeGraph


class EnergyNetwork(nn.Module):
    r"""Energies of atoms, as sums of invariant energies of their neighbourhoods; forces are their negative gradient.

    A species has features of its own. Each of `depth` layers adds to the features of an atom a sum over its neighbours
    within the cutoff. A perceptron computes the kernels of this sum from the distance and both species (`Implicit`).
    Products of the features of the atom follow, then gates. A perceptron maps the final scalars to the energy of the
    atom, in units of `scale` and relative to the energy of its species. This is the construction of NequIP
    :cite:`batzner2022equivariant`, with products of features at one atom as in MACE :cite:`batatia2022mace`.

    Kernels have the weight of a twice differentiable cutoff, so energies and forces are continuous. Energies are
    invariant under translations, permutations of equal atoms, and the group; with O(3) these are rotations and
    mirrors. The energy of two systems at a larger distance than the cutoff is the sum of their energies.

    The arguments are stored as `config`, which can be written as JSON: `EnergyNetwork(**network.config)` is the same
    network.

    Shapes:
        species: `(N,)` atomic numbers, pos: `(N, 3)`, edge_index: `(2, E)` -> energies `(B,)` in float64.

    Equivariance: exact; forces change by 1e-6 relative in float32.

    Args:
        elements: atomic numbers that the network knows.
        cutoff: distance up to which atoms are neighbours, in the unit of the positions.
        group: structure group that acts on space, by name.
        channels: number of scalars; fields of order l have `channels` / 2^l channels.
        order: highest order of the hidden fields.
        depth: number of layers.
        hidden: type of the hidden fields, instead of `channels` and `order`; needed for groups other than O(3), SO(3).
        kernel_width: hidden units of the perceptron of each kernel.
        rings: number of Gaussian functions of the distance.
        products: products of the features of each atom; 0 leaves them out, otherwise the number of channels.
        atomic_energies: energy of a single atom of each element, added to the energies.
        scale: unit of the network's own energies.
        neighbors: typical number of neighbours, by which sums are divided.

    Raises:
        ValueError: If a number is not positive, the group does not act on space or has no default types.

    Example:
        >>> import torch
        >>> from gaugenet.models import EnergyNetwork
        >>> network = EnergyNetwork([1, 8], cutoff=3.0, channels=8, depth=2)
        >>> pos = torch.tensor([[0.0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
        >>> energy, forces = network.energy_and_forces(torch.tensor([8, 1, 1]), pos, network.neighbors(pos)[0])
        >>> energy.shape, forces.shape, bool(forces.sum(0).abs().max() < 1e-5)
        (torch.Size([1]), torch.Size([3, 3]), True)
    """

    atomic_energies: Tensor
    known: Tensor

    def __init__(
        self,
        elements: Sequence[int],
        *,
        cutoff: float = 5.0,
        group: str = "O(3)",
        channels: int = 32,
        order: int = 1,
        depth: int = 3,
        hidden: str | None = None,
        kernel_width: int = 32,
        rings: int = 8,
        products: int = 16,
        atomic_energies: Sequence[float] | None = None,
        scale: float = 1.0,
        neighbors: float = 8.0,
    ) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            **{"elements": [int(z) for z in elements], "cutoff": float(cutoff), "group": group, "channels": channels},
            **{"order": order, "depth": depth, "hidden": hidden, "kernel_width": kernel_width, "rings": rings},
            **{"products": products, "atomic_energies": list(atomic_energies or [0.0] * len(elements))},
            **{"scale": float(scale), "neighbors": float(neighbors)},
        }
        self.cutoff, self.scale = positive_number("cutoff", cutoff), positive_number("scale", scale)
        self.mean_neighbors = positive_number("neighbors", neighbors)
        self._set_elements(self.config["elements"], self.config["atomic_energies"])
        space = group_from_name(group, 3)
        fields = _hidden_type(space, positive("channels", channels), order, hidden)
        species = FieldType(space, [("trivial", len(elements))])
        scalars = FieldType(space, [("trivial", channels)])
        limit = order if hidden is None else None
        kernel = Implicit(kernel_width, node_type=species, rings=rings, max_frequency=limit)
        self.embed = EquivariantLinear(species, scalars, bias=False)
        types = [scalars, *[fields] * (positive("depth", depth) - 1), scalars]
        self.layers = nn.ModuleList(_Layer(a, b, kernel, products) for a, b in pairwise(types))
        self.read = nn.Sequential(nn.Linear(channels, channels), nn.SiLU(), nn.Linear(channels, 1))

    def _set_elements(self, elements: list[int], energies: list[float]) -> None:
        if not elements or len(set(elements)) < len(elements) or min(elements) < 1:
            raise ValueError(f"Expected different atomic numbers as `elements`, got {elements}.")
        if len(energies) != len(elements):
            raise ValueError(f"Expected {len(elements)} `atomic_energies`, one for each element, got {len(energies)}.")
        index = torch.full((max(elements) + 1,), -1)
        index[torch.tensor(elements)] = torch.arange(len(elements))
        self.register_buffer("known", index, persistent=False)
        self.register_buffer("atomic_energies", torch.tensor(energies, dtype=torch.float64), persistent=False)

    def neighbors(
        self,
        pos: Float[Tensor, "atoms 3"],
        *,
        cell: Float[Tensor, "3 3"] | None = None,
        periodic: bool | Sequence[bool] = True,
        skin: float = 0.0,
    ) -> tuple[Int[Tensor, "2 edges"], Float[Tensor, "edges 3"] | None]:
        """Return the pairs of neighbours of one system, and with a cell the lattice vectors to the images of sources.

        Args:
            pos: positions.
            cell: lattice vectors as rows.
            periodic: the vectors along which space repeats.
            skin: distance added to the cutoff. The pairs stay valid until an atom has moved by half of it.
        """
        return neighbor_pairs(pos, self.cutoff + skin, cell=cell, periodic=periodic)

    def forward(
        self,
        species: Int[Tensor, "atoms"],
        pos: Float[Tensor, "atoms 3"],
        edge_index: Int[Tensor, "2 edges"],
        *,
        offset: Float[Tensor, "edges 3"] | None = None,
        batch: Int[Tensor, "atoms"] | None = None,
        num_systems: int = 1,
    ) -> Float[Tensor, "systems"]:
        """Return the total energy of each system.

        Args:
            species: atomic numbers.
            pos: positions; float64 keeps small forces exact where coordinates are large.
            edge_index: pairs of neighbours (sources, targets), sorted by target. Pairs beyond the cutoff do not matter.
            offset: vector from each source to its image in a periodic cell.
            batch: the system of each atom.
            num_systems: number of systems.

        Raises:
            ValueError: If there is an element that the network does not know.
        """
        element = self.elements_of(species)
        own = self.interaction(element, pos, edge_index, offset=offset)
        index = torch.zeros_like(element) if batch is None else batch
        each = self.scale * own.double() + self.atomic_energies[element]
        return each.new_zeros(num_systems).index_add(0, index, each)

    def interaction(
        self,
        element: Int[Tensor, "atoms"],
        pos: Float[Tensor, "atoms 3"],
        edge_index: Int[Tensor, "2 edges"],
        *,
        offset: Float[Tensor, "edges 3"] | None = None,
    ) -> Float[Tensor, "atoms"]:
        """Return the energy of each atom relative to its element, in units of `scale`; elements are given by index."""
        from gaugenet.models._atom_graph import AtomGraph

        dtype = next(self.read.parameters()).dtype
        source, target = edge_index
        vector = pos[source] - pos[target]
        vector = (vector if offset is None else vector + offset.to(vector)).to(dtype)
        graph = AtomGraph.of(vector, edge_index, pos.to(dtype), self.cutoff, self.mean_neighbors)
        species = nn.functional.one_hot(element, len(self.atomic_energies)).to(dtype)
        x = typed_tensor(self.embed(species))
        for layer in self.layers:
            x = layer(x, species, graph)
        return typed_tensor(self.read(x)[:, 0])

    def energy_and_forces(
        self,
        species: Int[Tensor, "atoms"],
        pos: Float[Tensor, "atoms 3"],
        edge_index: Int[Tensor, "2 edges"],
        *,
        offset: Float[Tensor, "edges 3"] | None = None,
        batch: Int[Tensor, "atoms"] | None = None,
        num_systems: int = 1,
        create_graph: bool = False,
    ) -> tuple[Float[Tensor, "systems"], Float[Tensor, "atoms 3"]]:
        """Return energies as `forward` does, and the forces, which are minus the gradient of the sum of the energies.

        Args:
            species: as for `forward`.
            pos: as for `forward`.
            edge_index: as for `forward`.
            offset: as for `forward`.
            batch: as for `forward`.
            num_systems: as for `forward`.
            create_graph: make the forces differentiable, for a loss that depends on them.
        """
        with torch.inference_mode(False), torch.enable_grad():
            z, edges, shift, index = (_ordinary(t) for t in (species, edge_index, offset, batch))
            place = pos.detach().clone().requires_grad_()
            energy = self(z, place, edges, offset=shift, batch=index, num_systems=num_systems)
            (slope,) = torch.autograd.grad(energy.sum(), place, create_graph=create_graph)
        return (energy, -slope) if create_graph else (energy.detach(), -slope)

    def elements_of(self, species: Int[Tensor, "atoms"]) -> Int[Tensor, "atoms"]:
        """Return the position of each atomic number in `elements`; raise `ValueError` if one is not there."""
        inside = (species > 0) & (species < len(self.known))
        index = torch.where(inside, self.known[species * inside], -1)
        if bool((index < 0).any()):
            unknown = sorted({int(z) for z in species[index < 0]})
            raise ValueError(
                f"The network knows the elements {self.config['elements']}, got {unknown}: train with them."
            )
        return index

    def extra_repr(self) -> str:
        return f"elements={self.config['elements']}, cutoff={self.cutoff:g}, group={self.config['group']}"


def _ordinary(x: Any) -> Any:
    """Return a tensor that autograd can save, also if it was made in inference mode."""
    return x.clone() if x is not None and x.is_inference() else x


def neighbor_pairs(
    pos: Float[Tensor, "atoms 3"],
    distance: float,
    *,
    cell: Float[Tensor, "3 3"] | None = None,
    periodic: bool | Sequence[bool] = True,
) -> tuple[Int[Tensor, "2 edges"], Float[Tensor, "edges 3"] | None]:
    """Return the pairs of atoms within a distance, as `EnergyNetwork.neighbors` does within the cutoff."""
    cloud = PointCloud(pos.detach(), cell=cell, periodic=periodic)
    graph = cloud.gauge_graph(O3(), radius=distance, weight="smooth", mass=1.0, isolated=True, dtype=torch.float64)
    lattice = cloud.cells[0]
    return graph.edge_index, None if lattice is None else lattice.offset(graph.edge_shift)


class _Layer(nn.Module):
    """Messages, products at each atom, gates; residual where the types agree."""

    def __init__(self, in_type: FieldType, out_type: FieldType, kernel: Implicit, products: int) -> None:
        super().__init__()
        self.gate = GatedNonlinearity(out_type, activation="silu")
        self.conv = GaugeConv(in_type, out_type if products else self.gate.in_type, kernel=kernel)
        self.product = None
        if products:
            self.product = TensorProductNonlinearity(out_type, self.gate.in_type, channels=products)
        self.skip = in_type == out_type

    def forward(self, x: Tensor, species: Tensor, graph: GaugeGraph) -> Tensor:
        out = self.conv(x, graph, node_attr=species)
        if self.product is not None:
            out = self.product(out)
        out = self.gate(out)
        return typed_tensor(x + out if self.skip else out)


def _hidden_type(group: StructureGroup, channels: int, order: int, text: str | None) -> FieldType:
    if text is not None:
        return FieldType(group, text)
    if not 0 <= order <= 4:
        raise ValueError(f"Expected `order` from 0 to 4, got {order}.")
    if not isinstance(group, O3 | SO3):
        raise ValueError(
            f"Expected `hidden`, the type of the hidden fields, for {group.name}, e.g. '16x0 + 8xstandard'."
        )
    parity = ("e", "o") if isinstance(group, O3) else ("", "")
    return FieldType(group, " + ".join(f"{max(1, channels >> k)}x{k}{parity[k % 2]}" for k in range(order + 1)))


__all__ = ["EnergyNetwork", "neighbor_pairs"]
