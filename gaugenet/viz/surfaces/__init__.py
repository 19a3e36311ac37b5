"""What can be drawn of a surface: immersions, charts and sheets."""
