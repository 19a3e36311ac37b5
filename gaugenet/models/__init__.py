"""Networks."""

from gaugenet.models.baselines import Augmented, Canonicalized, GroupAveraged
from gaugenet.models.canonicalizer import BestScore, Pose, PrincipalAxes
from gaugenet.models.clifford_resnet import CliffordResNet
from gaugenet.models.clifford_unet import CliffordUNet
from gaugenet.models.icosahedral_cnn import IcosahedralCNN
from gaugenet.models.icosahedral_unet import IcosahedralUNet
from gaugenet.models.mesh_unet import MeshUNet
from gaugenet.models.mobius_cnn import MobiusCNN, OrdinaryStripCNN
from gaugenet.models.planar import PlainCNN, PlanarCNN, plain_twin
from gaugenet.models.wide_resnet import WideResNet

__all__ = [
    "Augmented",
    "BestScore",
    "Canonicalized",
    "CliffordResNet",
    "CliffordUNet",
    "GroupAveraged",
    "IcosahedralCNN",
    "IcosahedralUNet",
    "MeshUNet",
    "MobiusCNN",
    "OrdinaryStripCNN",
    "PlainCNN",
    "PlanarCNN",
    "Pose",
    "PrincipalAxes",
    "WideResNet",
    "plain_twin",
]
