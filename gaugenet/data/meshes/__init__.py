"""Meshes with labels: readers, input features, augmentation, preparation and cache."""
