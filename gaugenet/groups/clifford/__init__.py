"""Clifford algebras: products of multivectors, their representations, and what they mean in physics."""
