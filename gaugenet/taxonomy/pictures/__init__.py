"""Pictures of the rows of the taxonomy."""
