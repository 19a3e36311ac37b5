"""The icosahedral sphere: positions, charts, rotations and gauge graph."""
