"""Triangle meshes: reading, repair, logarithmic maps, transporters, frames and levels."""
