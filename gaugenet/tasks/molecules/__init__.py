"""Energies and forces of molecules: training, scores and predictions."""
