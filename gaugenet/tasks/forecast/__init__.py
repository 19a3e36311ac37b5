"""Forecasts on the globe: training, scores, prediction and pictures."""
