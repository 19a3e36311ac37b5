"""Images: digits, digits on spheres and strips, panoramas."""
