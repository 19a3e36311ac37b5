"""Solvers for linear maps that commute with a group."""
