"""Clifford algebras: multivectors, their products and representations, and physical fields as multivectors."""
