"""Access rules in the form of Keystone's application credentials: the allowed requests to a service. Pure.

    {"service": "image", "method": "GET", "path": "/v2/images/**"}

A pattern matches a whole path, as in keystonemiddleware (auth_token/__init__.py, `_path_matches`): `*` and `{name}` stand for a part
of one segment, `**` for anything. Only what a rule names is allowed, and a path that two readers could read in two ways matches
nothing: keystonemiddleware compares the path after WSGI has decoded it, a gateway sees it before.

Users write patterns as well, in application credentials, so a comparison takes one step for each character of the path, whatever the
pattern is: all places of the pattern that can be reached are followed at once, as bits of one number (Navarro and Raffinot, Flexible
Pattern Matching in Strings, 4.2), where a regular expression would go back and try again.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
# RFC 3986's pchar without ";", by which some servers cut a path, and of escapes only spaces and what is beyond ASCII: those of
# slashes, dots and the like would be another path behind WSGI.
_PLAIN: Final = re.compile(r"(?:/(?:[A-Za-z0-9._~!$&'()*+,=:@-]|%20|%[89A-Fa-f][0-9A-Fa-f])*+)++\Z")
_PATTERN: Final = re.compile(r"(?:/(?:[A-Za-z0-9._~!$&'()+,=:@*-]|\{[A-Za-z0-9_]+\})*+)++\Z")
_WILD: Final = re.compile(r"(\*\*|\*|\{[A-Za-z0-9_]+\})")
LONGEST_PATTERN: Final = (
    256  # characters; Keystone keeps 128 (keystone/application_credential/backends/sql.py, AccessRuleModel)
)
MOST_WILDCARDS: Final = 16  # in one pattern
LONGEST_PATH: Final = 4096  # characters: longer than swift's longest name, all of it escaped


@dataclass(frozen=True, slots=True)
class Rule:
    """One allowed kind of request.

    Attributes:
        service: official service type.
        method: HTTP method.
        path: pattern of the path inside the service.
    """

    service: str
    method: str
    path: str

    def __str__(self) -> str:
        """The rule as operators write it and users read it."""
        return f"{self.method} {self.service} {self.path}"


def is_pattern(path: str) -> bool:
    """Whether a text can be a rule's path."""
    return (
        len(path) <= LONGEST_PATTERN
        and _PATTERN.match(path) is not None
        and len(_WILD.findall(path)) <= MOST_WILDCARDS
        and not _stepping(path)
    )


def is_plain(path: str) -> bool:
    """Whether every reader reads a path in the same way: no ambiguous escapes, no empty or dotted segments, and not too long to be compared."""
    return len(path) <= LONGEST_PATH and _PLAIN.match(path) is not None and "//" not in path and not _stepping(path)


def allowed(rules: Iterable[Rule], service: str, method: str, path: str) -> bool:
    """Whether a rule allows a request.

    Args:
        rules: what is allowed.
        service: official service type.
        method: HTTP method.
        path: the path inside the service, encoded as it came, without a query.
    """
    if not is_plain(path):
        return False
    return any(
        rule.service == service and rule.method == method and _compiled(rule.path).matches(path) for rule in rules
    )


def is_canonical(service: str, path: str) -> bool:
    """Whether a path has the one form that quotas, resources and shares of a region are matched against.

    Glance reads `/v2.9/images`, `//v2/images`, and with a version in the header `Accept` also `/images`, as `/v2/images`
    (glance/api/middleware/version_negotiation.py).
    """
    return service != "image" or (path.startswith("/v2/") and "//" not in path) or path.rstrip("/") == "/v2"


def covers(rules: Iterable[Rule], service: str, method: str, before: str, after: str) -> bool:
    """Whether one rule allows a request for every value of one segment of its path.

    Args:
        rules: what is allowed.
        service: official service type.
        method: HTTP method.
        before: the path before that segment, plain.
        after: the path behind it, plain.
    """
    # No pattern can contain this character, so only a wildcard matches it; and a wildcard that matches it matches a whole segment.
    path = f"{before}\0{after}"
    return any(
        rule.service == service and rule.method == method and _compiled(rule.path).matches(path) for rule in rules
    )


def whole(services: Iterable[str]) -> tuple[Rule, ...]:
    """Rules that allow everything of these services."""
    return tuple(Rule(service, method, "/**") for service in services for method in METHODS)


def _stepping(path: str) -> bool:
    return any(segment in {".", ".."} for segment in path.split("/"))


@dataclass(frozen=True, slots=True)
class _Automaton:
    """A pattern, ready to be compared.

    Bit N of a number is the place in the pattern after N of its parts behind `head`; a part takes one character.

    Attributes:
        head: the text before the first wildcard.
        onward: character -> places from which it leads to the next one.
        other: the same for characters that the pattern does not spell.
        staying: places that stay where they are at any character but a slash: after `*`, and at `**`.
        resting: places that stay at every character: at `**`.
        end: the last place.
    """

    head: str
    onward: Mapping[str, int]
    other: int
    staying: int
    resting: int
    end: int

    def matches(self, path: str) -> bool:
        """Whether the whole path is meant."""
        if not path.startswith(self.head):
            return False
        places, final = 1, self.end & self.resting
        for character in path[len(self.head) :]:
            if places & final or not places:
                break  # the last `**` takes all the rest; or nothing does
            stay = self.resting if character == "/" else self.staying
            places = (places & self.onward.get(character, self.other)) << 1 | places & stay
        return bool(places & self.end)


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> _Automaton:
    head, *parts = _WILD.split(pattern)
    onward: dict[str, int] = {"/": 0}
    other = staying = resting = 0
    place = 1
    for part in parts:
        if part == "**":
            resting |= place
        elif _WILD.fullmatch(part):
            other |= place
            place <<= 1
            staying |= place
        else:
            for character in part:
                onward[character] = onward.get(character, 0) | place
                place <<= 1
    spelled = {character: places | (0 if character == "/" else other) for character, places in onward.items()}
    return _Automaton(head, spelled, other, staying | resting, resting, place)
