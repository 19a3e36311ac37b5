"""Lattice gauge fields: links as transporters, their observables, and their gauge graphs."""
