"""Clock: the direction of the sun and the season, as fields on the globe."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from gaugenet.data.climate.dataset import ClimateFiles
from gaugenet.data.climate.latlon import sphere_points

_TILT = 23.44
"""Degrees between the axis of the Earth and the normal of its orbit."""
_EQUINOX = 79.0
"""Days from the start of the year to the equinox of March."""
_YEARS = {"360_day": 360.0, "noleap": 365.0, "365_day": 365.0, "all_leap": 366.0, "366_day": 366.0}


@dataclass(frozen=True)
class Clock:
    """Time of day and of the year as three scalar fields and a vector field, which rotate with the planet.

    Let s be the unit vector to the sun and n a place. The scalar fields are the cosine of the zenith angle, n . s, and
    the height of n above the equator times the cosine and the sine of the season. The vector field is the part of s
    that is tangent to the sphere. It points to the place where the sun is in the zenith, and distinguishes morning from
    evening. The orbit is a circle.

    Args:
        calendar: of the files.
    """

    calendar: str = "standard"

    scalars, vectors = 3, 1

    @classmethod
    def of(cls, files: ClimateFiles) -> Clock | None:
        """Return the clock of files; `None` if they have no dates."""
        time = files.steps[0].layout.time
        return None if time.date(files.steps[0].index) is None else cls(time.calendar or "standard")

    def season(self, hours: Float[ndarray, "*n"]) -> Float[ndarray, "*n"]:
        """Return the angle of the season, 0 at the March equinox, at hours since 1970."""
        return 2 * np.pi * (hours / 24.0 - _EQUINOX) / _YEARS.get(self.calendar, 365.2425)

    def sun(self, hours: Float[ndarray, "*n"]) -> Float[ndarray, "*n 3"]:
        """Return the unit vector from the centre of the Earth to the sun, at hours of universal time since 1970."""
        declination = np.arcsin(np.sin(np.radians(_TILT)) * np.sin(self.season(hours)))
        return sphere_points(np.degrees(declination), 180.0 - 15.0 * (hours % 24.0))

    def fields(
        self, hours: Float[ndarray, "times"], places: Float[ndarray, "vertices 3"]
    ) -> tuple[Float[ndarray, "times 3 vertices"], Float[ndarray, "times 1 3 vertices"]]:
        """Return the scalar fields, and the vectors in space, at places of the globe."""
        sun, season = self.sun(hours), self.season(hours)
        zenith = sun @ places.T
        height = places[:, 2]
        scalars = np.stack([zenith, np.cos(season)[:, None] * height, np.sin(season)[:, None] * height], axis=1)
        return scalars, (sun[:, :, None] - zenith[:, None] * places.T)[:, None]
