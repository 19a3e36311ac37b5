"""Compiled loops over points and channels, and what calls them."""
