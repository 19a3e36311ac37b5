"""Files in the layouts in which data sets of molecules are published."""

from __future__ import annotations

from pathlib import Path

import numpy as np

METHANE = """5
gdb 1\t157.7118\t157.70997\t157.70699\t0.\t13.21\t-0.3877\t0.1171\t0.5048\t35.3641\t0.044749\t-40.47893\t-40.476062\
\t-40.475117\t-40.498597\t6.469\t
C\t-0.0126981359\t 1.0858041578\t 0.0080009958\t-0.535689
H\t 0.002150416\t-0.0060313176\t 0.0019761204\t 0.133921
H\t 1.0117308433\t 1.4637511618\t 0.0002765748\t 0.133922
H\t-0.540815069\t 1.4475266138\t-8.7664*^-1\t 0.133923
H\t-0.5238136345\t 1.4379326443\t 0.9063972942\t 0.133923
1341.307\t1341.3284\t1341.365\t1562.6731\t1562.7453\t3038.3205\t3151.6034\t3151.6788\t3151.7078
C\tC\t
InChI=1S/CH4/h1H4\tInChI=1S/CH4/h1H4
"""
"""The layout of a file of QM9; one number has the exponent of Mathematica."""

HYDROGEN = """2
gdb 7\t0.\t1.\t1.\t0.\t5.\t-0.4\t0.1\t0.5\t3.\t0.01\t-1.17\t-1.16\t-1.16\t-1.18\t5.\t
H\t0.\t0.\t0.37\t0.
H\t0.\t0.\t-0.37\t0.
4400.1
[H][H]\t[H][H]\t
InChI=1S/H2/h1H\tInChI=1S/H2/h1H
"""


def md17_file(path: Path, *, conformations: int = 7, revised: bool = False, **changes: np.ndarray) -> Path:
    """Water in the layout of MD17 or of rMD17, with some arrays replaced."""
    rng = np.random.default_rng(0)
    pos = np.array([[0, 0, 0.12], [0.76, 0, -0.47], [-0.76, 0, -0.47]]) + 0.05 * rng.normal(size=(conformations, 3, 3))
    energy, forces = rng.normal(size=conformations) - 47000, rng.normal(size=(conformations, 3, 3))
    z = np.array([8, 1, 1], dtype=np.uint8)
    if revised:
        arrays = {"nuclear_charges": z, "coords": pos, "energies": energy, "forces": forces}
        arrays |= {"old_indices": np.arange(conformations), "old_energies": energy, "old_forces": forces}
    else:
        arrays = {"z": z, "R": pos, "E": energy[:, None], "F": forces}
        arrays |= {"name": np.array("water"), "theory": np.array(b"unknown"), "type": np.array("d")}
    kept = {name: value for name, value in {**arrays, **changes}.items() if value is not None}
    np.savez(path, **kept)
    return path
