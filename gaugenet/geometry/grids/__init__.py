"""Pixel grids, their stencils and the actions of groups on fields on them."""
