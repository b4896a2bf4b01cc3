"""Access rules in the form of Keystone's application credentials: what somebody may ask of a service. Pure.

    {"service": "image", "method": "GET", "path": "/v2/images/**"}

A pattern matches a whole path, as in keystonemiddleware (auth_token/__init__.py, `_path_matches`): `*` and `{name}` stand for a part
of one segment, `**` for anything. Only what a rule names is allowed, and a path that two readers could read in two ways matches
nothing: keystonemiddleware compares the path after WSGI has decoded it, a gateway sees it before.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
# RFC 3986's pchar without ";", by which some servers cut a path, and of escapes only spaces and what is beyond ASCII: those of
# slashes, dots and the like would be another path behind WSGI.
_PLAIN: Final = re.compile(r"(?:/(?:[A-Za-z0-9._~!$&'()*+,=:@-]|%20|%[89A-Fa-f][0-9A-Fa-f])*+)++\Z")
_PATTERN: Final = re.compile(r"(?:/(?:[A-Za-z0-9._~!$&'()+,=:@*-]|\{[A-Za-z0-9_]+\})*+)++\Z")
_WILD: Final = re.compile(r"(\*\*|\*|\{[A-Za-z0-9_]+\})")


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that is allowed.

    Attributes:
        service: official service type.
        method: HTTP method.
        path: pattern of the path inside the service.
    """

    service: str
    method: str
    path: str

    def __str__(self) -> str:
        """As operators write it and users read it."""
        return f"{self.method} {self.service} {self.path}"


def is_pattern(path: str) -> bool:
    """Whether a text can be a rule's path."""
    return _PATTERN.match(path) is not None and not _stepping(path)


def is_plain(path: str) -> bool:
    """Whether a path means the same to everybody: no escapes that matter, no empty or dotted segments."""
    return _PLAIN.match(path) is not None and "//" not in path and not _stepping(path)


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
        rule.service == service and rule.method == method and _compiled(rule.path).match(path) is not None
        for rule in rules
    )


def covers(rules: Iterable[Rule], service: str, method: str, before: str, after: str) -> bool:
    """Whether one rule allows a request whatever stands in one segment of its path.

    Args:
        rules: what is allowed.
        service: official service type.
        method: HTTP method.
        before: the path before that segment, plain.
        after: the path behind it, plain.
    """
    # No pattern can spell this character, so a wildcard meets it; and what one character meets, a whole segment does.
    path = f"{before}\0{after}"
    return any(
        rule.service == service and rule.method == method and _compiled(rule.path).match(path) is not None
        for rule in rules
    )


def whole(services: Iterable[str]) -> tuple[Rule, ...]:
    """Rules that allow everything of these services."""
    return tuple(Rule(service, method, "/**") for service in services for method in METHODS)


def _stepping(path: str) -> bool:
    return any(segment in {".", ".."} for segment in path.split("/"))


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = (
        ".*" if part == "**" else "[^/]+" if _WILD.fullmatch(part) else re.escape(part) for part in _WILD.split(pattern)
    )
    return re.compile("".join(parts) + r"\Z")
