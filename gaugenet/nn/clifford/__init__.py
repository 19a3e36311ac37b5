"""Layers for multivector fields, whose squares may have either sign."""
