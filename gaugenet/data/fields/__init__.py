"""Fields on meshes: scalars, vectors and tensors from files, as inputs and targets of networks."""
