"""Surfaces for pictures: immersions, charts and sheets."""
