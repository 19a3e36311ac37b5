"""Physical fields: turbulence in the plane, electromagnetic waves and moving charges, and flow in arteries."""
