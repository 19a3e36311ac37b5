"""Valid files with a few things wrong: every reader reads them, or refuses them in the library's own words."""
