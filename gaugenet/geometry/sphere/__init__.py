"""Grids of the sphere as domains: HEALPix, Gaussian, latitude-longitude, any points; regridding between them."""
