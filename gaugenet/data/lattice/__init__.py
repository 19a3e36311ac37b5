"""Lattice gauge fields: sampling by heat bath and hybrid Monte Carlo, error bars, files."""
