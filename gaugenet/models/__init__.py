"""Networks."""

from gaugenet.models.baselines import Augmented, Canonicalized, GroupAveraged
from gaugenet.models.mesh_unet import MeshUNet
from gaugenet.models.pose import BestScore, Pose, PrincipalAxes

__all__ = ["Augmented", "BestScore", "Canonicalized", "GroupAveraged", "MeshUNet", "Pose", "PrincipalAxes"]
