"""The structure groups, one family a file."""
