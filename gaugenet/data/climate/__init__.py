"""Climate files: layout, units, regridding, splits by time, and synthetic weather."""
