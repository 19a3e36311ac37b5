"""Unstructured files as ICON, MPAS and HEALPix models write them, with smooth fields in closed form."""

from __future__ import annotations

import numpy as np
import xarray as xr

from gaugenet.data.climate.latlon import east_north, lat_lon
from gaugenet.geometry import HEALPix, Icosphere

KINDS = ("icon", "mpas", "healpix", "xdggs")


def centres(kind: str) -> np.ndarray:
    """Unit vectors of the cells of a file of each kind."""
    if kind == "icon":  # centres of triangles
        sphere = Icosphere(3)
        points = sphere.pos.numpy()[sphere.face.numpy().T].mean(axis=1)
        return points / np.linalg.norm(points, axis=1, keepdims=True)
    if kind == "mpas":
        return Icosphere(3).pos.numpy()
    return HEALPix(8, order="ring" if kind == "healpix" else "nested").pos.numpy()


def weather(kind: str, steps: int = 12, *, first: int = 0, label: bool = False) -> xr.Dataset:
    """`t` and the winds `u`, `v` that rotate about the axis, and `orography` without time."""
    points, hours = centres(kind), (first + np.arange(steps)) * 6.0
    lat, lon = lat_lon(points)
    x, y, z = points.T
    spin = np.radians(2 * hours)[:, None]
    t = 280 + 10 * (np.cos(2 * spin) * (x**2 - y**2) + 2 * np.sin(2 * spin) * x * y) + 5 * z
    pole = np.stack([np.cos(spin), np.sin(spin), 2 + 0 * spin], -1)
    wind = 10 * np.cross(np.broadcast_to(pole, (steps, len(points), 3)), points)
    u, v = np.moveaxis(np.einsum("tni,nik->tnk", wind, east_north(lat, lon)), -1, 0)
    cell = {"icon": "ncells", "mpas": "nCells", "healpix": "cell", "xdggs": "cells"}[kind]
    dims = (cell, "time") if kind == "mpas" else ("time", cell)
    turned = (lambda a: a.T) if kind == "mpas" else (lambda a: a)
    data = xr.Dataset(
        {
            "t": (dims, turned(t).astype(np.float32), {"units": "K"}),
            "u": (dims, turned(u).astype(np.float32), {"units": "m s-1", "standard_name": "eastward_wind"}),
            "v": (dims, turned(v).astype(np.float32), {"units": "m s-1", "standard_name": "northward_wind"}),
            "orography": ((cell,), (500 * x**2).astype(np.float32), {"units": "m"}),
        },
        coords={"time": np.datetime64("2001-03-01T00", "ns") + (hours * 3600e9).astype("timedelta64[ns]")},
    )
    if label:
        classes = {"flag_values": np.array([0, 1], dtype=np.uint8), "flag_meanings": "background warm"}
        data["label"] = (dims, turned(t > 285).astype(np.uint8), classes)
    if kind == "icon":
        radians = {"units": "radian"}
        data["clat"] = (cell, np.radians(lat), {**radians, "standard_name": "latitude"})
        data["clon"] = (cell, np.radians(lon), {**radians, "standard_name": "longitude"})
        data["cell_area"] = (cell, np.linspace(1.0, 2.0, len(points)) * 1e9, {"units": "m2"})
        for name in ("t", "u", "v", "orography"):
            data[name].encoding["coordinates"] = "clat clon"
        return data.set_coords(["clat", "clon"])
    if kind == "mpas":  # without units, as meshes of MPAS are
        data["latCell"], data["lonCell"] = (cell, np.radians(lat)), (cell, np.radians(lon % 360))
        return data
    if kind == "healpix":
        data["crs"] = ((), 0, {"grid_mapping_name": "healpix", "healpix_nside": 8, "healpix_order": "ring"})
        return data
    ids = {"grid_name": "healpix", "level": 3, "indexing_scheme": "nested"}
    return data.assign_coords(cell_ids=(cell, np.arange(len(points)), ids))
