"""gaugenet: gauge-equivariant convolutional networks on meshes and manifolds."""

__version__ = "0.1.0"
