"""Molecules: readers of published layouts, splits, an analytic potential and molecular dynamics."""
