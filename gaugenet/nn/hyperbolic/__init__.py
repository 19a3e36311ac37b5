"""Fields in the hyperboloid model and layers on them."""
