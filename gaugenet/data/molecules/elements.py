"""Symbols and masses of chemical elements."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from gaugenet.data.meshes.sample import DataError

_TEXT = """
    H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y Zr Nb
    Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au
    Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts
    Og"""
SYMBOLS = tuple(_TEXT.split())
"""Symbols in the order of the atomic numbers, from 1."""

_NUMBERS = {symbol: number for number, symbol in enumerate(SYMBOLS, start=1)}
_MASSES = {1: 1.008, 6: 12.011, 7: 14.007, 8: 15.999, 9: 18.998, 14: 28.085, 15: 30.974, 16: 32.06, 17: 35.45}
"""Standard atomic weights (IUPAC 2021, abridged) in unified atomic mass units, of the elements of organic molecules."""


def atomic_number(symbol: str) -> int:
    """Return the atomic number of an element.

    Raises:
        DataError: If there is no such element.

    Example:
        >>> from gaugenet.data.molecules.elements import atomic_number
        >>> atomic_number("C")
        6
    """
    if symbol not in _NUMBERS:
        raise DataError(f"Expected the symbol of an element, such as C, got {symbol!r}.")
    return _NUMBERS[symbol]


def symbol_of(number: int) -> str:
    """Return the symbol of an element, for example `"C"` for 6."""
    if not 1 <= number <= len(SYMBOLS):
        raise DataError(f"Expected an atomic number from 1 to {len(SYMBOLS)}, got {number}.")
    return SYMBOLS[number - 1]


def atomic_masses(species: Int[ndarray, "atoms"]) -> Float[ndarray, "atoms"]:
    """Return the masses of atoms in unified atomic mass units.

    Raises:
        DataError: If the table lacks an element.
    """
    missing = sorted({int(z) for z in species} - set(_MASSES))
    if missing:
        known = ", ".join(symbol_of(z) for z in _MASSES)
        raise DataError(f"Masses are known for {known}, not for the atomic numbers {missing}: pass masses of your own.")
    return np.array([_MASSES[int(z)] for z in species])


__all__ = ["SYMBOLS", "atomic_masses", "atomic_number", "symbol_of"]
