"""Work on lattice gauge fields: exact regression and linear systems."""
