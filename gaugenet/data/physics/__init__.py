"""Physical fields: moving charges in closed form, and flow in arteries."""
