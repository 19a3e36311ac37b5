"""Fields on meshes: scalars, vectors and tensors read from files, as inputs and as targets of networks."""
