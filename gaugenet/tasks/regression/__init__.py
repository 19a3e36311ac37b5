"""Regression on meshes: scalars, vectors and tensors at vertices, at faces or of whole meshes."""
