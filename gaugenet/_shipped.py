"""Where the data files of the library are: in the package of a wheel, at the root of a clone."""

from __future__ import annotations

from pathlib import Path


def shipped(name: str) -> Path:
    """Return a folder that comes with the library.

    Args:
        name: `"pretrained"` or `"meshes/bodies"`.

    Raises:
        FileNotFoundError: If the installation lacks the folder.
    """
    package = Path(__file__).resolve().parent
    for folder in (package / name, package.parent / name):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"This installation of gaugenet lacks its folder {name}: install a wheel, or use a clone.")
