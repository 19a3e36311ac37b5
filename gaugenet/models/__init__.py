"""Networks: equivariant ones for meshes, spheres, images, atoms and multivectors, baselines, and saved networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gaugenet._lazy import lazy_exports

if TYPE_CHECKING:
    from gaugenet.models.baselines import Augmented, Canonicalized, GroupAveraged
    from gaugenet.models.canonicalizer import Canonicalizer, PrincipalAxes, ScoreCanonicalizer
    from gaugenet.models.clifford_resnet import CliffordResNet
    from gaugenet.models.clifford_unet import CliffordUNet
    from gaugenet.models.energy_network import EnergyNetwork
    from gaugenet.models.gauge_transformer import GaugeTransformer
    from gaugenet.models.icosahedral_cnn import IcosahedralCNN
    from gaugenet.models.icosahedral_unet import IcosahedralUNet
    from gaugenet.models.latlon_unet import LatLonUNet
    from gaugenet.models.mesh_unet import MeshUNet
    from gaugenet.models.mobius_cnn import MobiusCNN, OrdinaryStripCNN
    from gaugenet.models.plain_resnet import PlainResNet
    from gaugenet.models.planar import PlainCNN, PlanarCNN, matched_baseline
    from gaugenet.models.planar_unet import PlanarUNet
    from gaugenet.models.saved import load, pretrained_folder
    from gaugenet.models.wide_resnet import WideResNet
else:
    __getattr__, __dir__ = lazy_exports(__name__)

__all__ = [
    "Augmented",
    "Canonicalized",
    "Canonicalizer",
    "CliffordResNet",
    "CliffordUNet",
    "EnergyNetwork",
    "GaugeTransformer",
    "GroupAveraged",
    "IcosahedralCNN",
    "IcosahedralUNet",
    "LatLonUNet",
    "MeshUNet",
    "MobiusCNN",
    "OrdinaryStripCNN",
    "PlainCNN",
    "PlainResNet",
    "PlanarCNN",
    "PlanarUNet",
    "PrincipalAxes",
    "ScoreCanonicalizer",
    "WideResNet",
    "load",
    "matched_baseline",
    "pretrained_folder",
]
