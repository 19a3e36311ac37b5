"""The sub-commands of `gaugenet`, one in each file: each parses its arguments and calls the library."""
