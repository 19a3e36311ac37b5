"""Manifolds given by formulas, charts or metrics: exp, log, transport and their gauge graphs."""
