"""The headless renderer: camera, shading, rasterizer, PNG, PLY and HTML output."""
