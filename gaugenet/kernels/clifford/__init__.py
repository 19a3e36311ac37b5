"""Kernels between multivector fields: the complete steerable basis in closed form."""
