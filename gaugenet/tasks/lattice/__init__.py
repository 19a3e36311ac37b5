"""Lattice gauge fields: exact regression and linear systems."""
