"""Tasks on images: training and tables of results."""
