"""Policies of callers: the allowed cloud-regions, verbs and kinds. Pure."""

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Annotated, Final

import pydantic

from oaktree.v1.location_pb2 import Location
from openstackoid.oaktree.verbs import PERMISSIONS, READING

_GLOB: Final = re.compile(r"[*?\[]")


def _permission(text: str) -> str:
    if text not in PERMISSIONS:
        raise ValueError(f"expected one of {', '.join(sorted(PERMISSIONS))}, got {text[:80]!r}")
    return text


_Pattern = Annotated[str, pydantic.StringConstraints(min_length=1, max_length=255)]


class _Part(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class Where(_Part):
    """Cloud-regions, by shell patterns (`*`, `?`, `[...]`)."""

    cloud: _Pattern = "*"
    region: _Pattern = "*"

    def holds(self, here: Location) -> bool:
        """Whether a cloud-region matches."""
        return fnmatchcase(here.cloud, self.cloud) and (
            fnmatchcase(here.region, self.region) or (self.region == "*" and not here.region)
        )

    def below(self, site: str) -> Location | None:
        """The allowed location at another oaktree, whose clouds are not known here: empty for all its clouds; None for none.

        Raises:
            ValueError: the pattern can only be evaluated with the other oaktree's names.
        """
        prefix = f"{site}/"
        literal = _GLOB.split(self.cloud, maxsplit=1)[0]
        if not (literal.startswith(prefix) or prefix.startswith(literal)):
            return None
        if literal == self.cloud:
            cloud = self.cloud.removeprefix(prefix)
            if not self.cloud.startswith(prefix) or not cloud:
                return None
        elif self.cloud == f"{literal}*" and prefix.startswith(literal):
            cloud = ""
        else:
            raise ValueError(
                f"{self.cloud!r}: clouds behind the oaktree {site} are named in full, or all as '{prefix}*'"
            )
        if self.region != "*" and _GLOB.search(self.region):
            raise ValueError(f"{self.region!r}: regions behind the oaktree {site} are named in full, or all as '*'")
        return Location(cloud=cloud, region="" if self.region == "*" else self.region)


class Policy(_Part):
    """The rights of a caller."""

    locations: tuple[Where, ...] = (Where(),)
    verbs: frozenset[Annotated[str, pydantic.AfterValidator(_permission)]] = READING
    kinds: tuple[_Pattern, ...] = ("*",)  # patterns of "service.kind"
    projects: bool = False  # may work in other projects than that of the clouds.yaml, within the rights of its user

    def may(self, verb: str, kind: str) -> bool:
        """Whether the policy allows a verb for a kind."""
        return verb in self.verbs and any(fnmatchcase(kind, pattern) for pattern in self.kinds)

    def allows(self, here: Location) -> bool:
        """Whether the policy allows a cloud-region."""
        return any(location.holds(here) for location in self.locations)

    def below(self, site: str) -> list[Location] | None:
        """The allowed locations at another oaktree, by its names: an empty location for all its clouds; None for none."""
        locations = [location for location in (where.below(site) for where in self.locations) if location is not None]
        return locations or None

    @property
    def limited(self) -> bool:
        """Whether the policy forbids any verb or kind: a cloud's token would bypass that restriction."""
        return not (self.verbs >= PERMISSIONS and "*" in self.kinds)


EVERYTHING: Final = Policy(verbs=PERMISSIONS, projects=True)


def narrowed(wanted: Iterable[Location], allowed: Iterable[Location]) -> list[Location]:
    """The intersections of the wanted and the allowed locations."""
    locations = []
    for location in wanted:
        for most in allowed:
            if all(not a or not b or a == b for a, b in ((location.cloud, most.cloud), (location.region, most.region))):
                both = Location()
                both.CopyFrom(location)
                both.cloud = location.cloud or most.cloud
                both.region = location.region or most.region
                if both not in locations:
                    locations.append(both)
    return locations
