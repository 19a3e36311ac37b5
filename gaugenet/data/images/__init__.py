"""Images: digits, digits on spheres and strips, and panoramas."""
