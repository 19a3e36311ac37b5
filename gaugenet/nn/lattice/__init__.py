"""Layers for lattice gauge fields."""
