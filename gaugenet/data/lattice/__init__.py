"""Lattice gauge fields: sampling by heat bath and hybrid Monte Carlo, statistical errors, and files."""
