"""Makes `import generator` find the package beside `meshes/make_bodies.py`, as it does for that script."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "meshes"))
