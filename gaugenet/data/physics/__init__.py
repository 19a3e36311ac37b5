"""Physical fields in closed form."""
