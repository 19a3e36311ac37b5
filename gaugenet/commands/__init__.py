"""The sub-commands of `gaugenet`, one a file: each parses its arguments and calls the library."""
