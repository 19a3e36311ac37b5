"""Lattice gauge fields: links as transporters, their observables, and the gauge graphs that they are."""
