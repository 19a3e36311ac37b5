"""Climate files: layout, units, regridding, splits by time, synthetic weather."""
