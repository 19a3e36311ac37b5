"""Networks."""

from gaugenet.models.mesh_unet import MeshUNet

__all__ = ["MeshUNet"]
