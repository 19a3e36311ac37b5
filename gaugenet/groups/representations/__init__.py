"""Representations, field types, harmonics and couplings."""
