"""Validation and matching of locations. Pure.

A cloud behind another oaktree is named by a path, `site/cloud`: each oaktree removes the first part before it passes a request on.
"""

import re
from collections.abc import Iterable
from typing import Final

from oaktree.v1.location_pb2 import Location

# Characters that no name may contain: controls, bidirectional and invisible marks, surrogates.
_NEVER: Final = r"\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff\ud800-\udfff"
# Path steps such as ".." are no names either.
_PART: Final = rf"(?!\s)(?!\.{{1,2}}(?:/|\Z))[^/{_NEVER}]{{1,255}}(?<!\s)"
# A cloud or region in a message: every printable name that a clouds.yaml may contain. Checked before a name is looked up, shown, or passed on.
NAME: Final = re.compile(rf"{_PART}(?:/{_PART}){{0,7}}")
# Ids and names of projects, domains and zones are chosen by the clouds; characters that no header or path may contain are refused.
_TEXT: Final = re.compile(r"[^\x00-\x1f\x7f]{0,255}")


def flaw(location: Location) -> str | None:
    """The first invalid field, with the expected value; None if all are valid."""
    for field in ("cloud", "region"):
        if (value := getattr(location, field)) and not NAME.fullmatch(value):
            return f"{field}: expected 1 to 255 characters that can be seen, without spaces at the ends, and / between the names of oaktrees"
    for field in ("zone", "project_id", "project", "domain_id", "domain"):
        if not _TEXT.fullmatch(getattr(location, field)):
            return f"{field}: expected at most 255 characters, none of them a control character"
    return None


def selects(wanted: Location, region: Location) -> bool:
    """Whether a request for `wanted` concerns this cloud-region. Empty fields match all; a path matches all clouds below it."""
    if wanted.cloud and wanted.cloud != region.cloud and not wanted.cloud.startswith(region.cloud + "/"):
        return False
    return not wanted.region or not region.region or wanted.region == region.region


def chosen(wanted: Iterable[Location], region: Location) -> list[Location]:
    """The wanted locations that concern the cloud-region; an empty location if none is wanted."""
    wanted = list(wanted) or [Location()]
    return [location for location in wanted if selects(location, region)]


def holds(wanted: Location, resource: Location) -> bool:
    """Whether a resource is in the wanted zone; clouds and projects were already selected before the request."""
    return not wanted.zone or wanted.zone == resource.zone
