"""Labelled meshes: readers, input features, augmentation, preparation and cache."""
