"""Offers on a map of the world, by the coordinates of their metadata. Pure.

A place of the map is a degree: x is the longitude + 180, y is 90 - the latitude. A provider's values may have any form.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

WIDTH, HEIGHT = 360, 180


@dataclass
class Mark:
    """A place with offers.

    Attributes:
        x, y: on the map.
        names: of the offers there.
    """

    x: float
    y: float
    names: list[str] = field(default_factory=list)


def marks(offers: Iterable[Any]) -> list[Mark]:
    """Give the places of offers that name their coordinates, those of the same place as one."""
    places: dict[tuple[float, float], Mark] = {}
    for offer in offers:
        location = offer.metadata.get("location", {})
        longitude, latitude = (
            _degrees(location, name, limit) for name, limit in (("longitude", 180), ("latitude", 90))
        )
        if longitude is None or latitude is None:
            continue
        x, y = round(longitude + 180, 1), round(90 - latitude, 1)
        places.setdefault((x, y), Mark(x, y)).names.append(offer.id)
    return list(places.values())


def _degrees(location: dict[str, Any], name: str, limit: int) -> float | None:
    value = location.get(name, {}).get("value")
    good = isinstance(value, (int, float)) and not isinstance(value, bool) and -limit <= value <= limit
    return float(value) if good else None
