"""Which location matches which. Pure.

A cloud behind another oaktree is named by a path, `site/cloud`: each oaktree takes its own part off before it passes a request on.
"""

import re
from collections.abc import Iterable
from typing import Final

from oaktree.v1.location_pb2 import Location

# What no name has: controls, marks that turn the direction of writing or show nothing, halves of characters.
_NEVER: Final = r"\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff\ud800-\udfff"
# Nor is a step of a path one.
_PART: Final = rf"(?!\s)(?!\.{{1,2}}(?:/|\Z))[^/{_NEVER}]{{1,255}}(?<!\s)"
# A cloud or region on the wire; the names in it are checked before they are looked up, shown, or passed on. Whatever a clouds.yaml has for a name and
# people can read is one.
NAME: Final = re.compile(rf"{_PART}(?:/{_PART}){{0,7}}")
# Ids and names of projects, domains and zones are the clouds' own; what no header or path may hold is refused.
_TEXT: Final = re.compile(r"[^\x00-\x1f\x7f]{0,255}")


def flaw(location: Location) -> str | None:
    """The first field that cannot be right, with what was expected; None if all can."""
    for field in ("cloud", "region"):
        if (value := getattr(location, field)) and not NAME.fullmatch(value):
            return f"{field}: expected 1 to 255 characters that can be seen, without spaces at the ends, and / between the names of oaktrees"
    for field in ("zone", "project_id", "project", "domain_id", "domain"):
        if not _TEXT.fullmatch(getattr(location, field)):
            return f"{field}: expected at most 255 characters, none of them a control character"
    return None


def selects(wanted: Location, region: Location) -> bool:
    """Whether a request for `wanted` concerns this cloud-region. Empty fields match all; a path matches what is below it."""
    if wanted.cloud and wanted.cloud != region.cloud and not wanted.cloud.startswith(region.cloud + "/"):
        return False
    return not wanted.region or not region.region or wanted.region == region.region


def chosen(wanted: Iterable[Location], region: Location) -> list[Location]:
    """Those of the wanted locations that concern the cloud-region; with none wanted, one that is empty."""
    wanted = list(wanted) or [Location()]
    return [each for each in wanted if selects(each, region)]


def holds(wanted: Location, resource: Location) -> bool:
    """Whether a resource lies in what was wanted, as far as zones go; clouds and projects were chosen before they were asked."""
    return not wanted.zone or wanted.zone == resource.zone
