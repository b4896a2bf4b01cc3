"""Where a scope comes from, and which one wins.

    1. `--os-scope TEXT`                            JSON, or the short form image=CloudTwo,compute=CloudOne
    2. `OS_SCOPE`, with `OS_SCOPE_<SERVICE>` over it  OS_SCOPE_IMAGE=CloudTwo; OS_SCOPE_ALL is "*"
    3. `scope:` of the cloud in clouds.yaml          a mapping, or a string in the short form

The first of the three that says anything is the whole scope: it is not mixed with those after it, so what a user typed is
what holds. Within the environment the variable of one service wins over `OS_SCOPE`, for that service only. An empty
variable is an unset one, as everywhere in OpenStack; `--os-scope '{}'` asks for no scope at all. The option may be given
several times: all of them together are the scope, and two that name one service differently are refused.

The order between the three is openstacksdk's own (`openstack/config/loader.py`, get_one: arguments over clouds.yaml). For
this the option's value travels in the client's namespace, but as an object: get_one calls `.format()` on every string in
it, and JSON is full of braces.
"""

import argparse
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from openstackoid.core.scope import Expression, Scope

OPTION: Final = "--os-scope"
VARIABLE: Final = "OS_SCOPE"
KEY: Final = "scope"  # of clouds.yaml, and of the merged configuration
# Of requests to several clouds. openstacksdk takes each key that ends with `timeout` for the timeout of its own requests
# (openstack/config/loader.py, _fix_backwards_api_timeout), so there the key and the variable have another name than the option.
REQUIRE_KEY: Final = "scope_require"
TIMEOUT_KEY: Final = "scope_deadline"
MATCH_KEY: Final = "scope_match"
FAILURE_KEY: Final = "scope_on_failure"
MATCH: Final = "X-Scope-Match"
_WISHES: Final = {
    REQUIRE_KEY: ("X-Scope-Require", re.compile(r"all|any|[1-9][0-9]{0,4}"), "all, any or a number of clouds"),
    TIMEOUT_KEY: (
        "X-Scope-Timeout",
        re.compile(r"(?=.*[1-9])[0-9]{1,4}(?:\.[0-9]{1,3})?"),
        "seconds, such as 5 or 2.5",
    ),
    FAILURE_KEY: ("X-Scope-On-Failure", re.compile(r"undo|keep|converge"), "undo, keep or converge"),
    MATCH_KEY: ("", re.compile(r"name|id"), "name or id"),
}
_ALL: Final = "ALL"


@dataclass(frozen=True, slots=True)
class Given:
    """What the command line or the environment says, not read yet.

    Attributes:
        source: the option or variable, for messages; None if only `services` are given.
        texts: the scope's text; several if the option is given several times.
        services: (variable, service type, expression) for each `OS_SCOPE_<SERVICE>`.
    """

    source: str | None
    texts: tuple[str, ...]
    services: tuple[tuple[str, str, str], ...] = ()

    def __str__(self) -> str:
        return " ".join([*self.texts, *(f"{variable}={value}" for variable, _, value in self.services)])


def from_option(text: str) -> Given:
    """The value of `--os-scope`."""
    return Given(OPTION, (text,))


class Append(argparse.Action):
    """What argparse does with each `--os-scope`: the first one takes the place of the environment, the others join it."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,  # noqa: ARG002 - argparse's names
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,  # noqa: ARG002 - as above
    ) -> None:
        """Keep one more value."""
        before = getattr(namespace, self.dest, None)
        if isinstance(before, Given) and before.source == OPTION:
            values = Given(OPTION, (*before.texts, *values.texts))
        setattr(namespace, self.dest, values)


def from_environment() -> Given | None:
    """What the environment says, or None."""
    services = tuple(
        (name, _service(name.removeprefix(f"{VARIABLE}_")), value)
        for name, value in sorted(os.environ.items())
        if name.startswith(f"{VARIABLE}_") and value and name.removeprefix("OS_").lower() not in _WISHES
    )
    text = os.environ.get(VARIABLE, "")
    return Given(VARIABLE if text else None, (text,) if text else (), services) if text or services else None


def wishes(config: Mapping[str, Any]) -> dict[str, str]:
    """The headers of a configuration for requests to several clouds.

    Raises:
        ScopeError: a value is malformed.
    """
    headers: dict[str, str] = {}
    for key, (header, form, expected) in _WISHES.items():
        value = config.get(key)
        if value is None or value == "":
            continue
        if not form.fullmatch(str(value)):
            from openstackoid.core.errors import ScopeError  # noqa: PLC0415 - as in read

            raise ScopeError(f"expected {expected} at {key}", str(value), 0)
        if header:  # commands that create send X-Scope-Match by themselves
            headers[header] = str(value)
    return headers


def read(value: object) -> "Scope":
    """The scope that a setting means.

    Args:
        value: a `Given`, a text, a mapping from service type to expression, a `Scope`, or None for no scope.

    Raises:
        ScopeError: names the setting, what is wrong and where.
    """
    from openstackoid.core.errors import ScopeError  # noqa: PLC0415 - a client without a scope needs none of it
    from openstackoid.core.scope import Scope, parse_short  # noqa: PLC0415 - as above

    match value:
        case None:
            return Scope()
        case Scope():
            return value
        case Given():
            return _given(value)
        case str():
            return parse_short(value)
        case Mapping():
            return _mapping(value)
        case _:
            raise ScopeError(f"expected a mapping or a string, not {type(value).__name__}", repr(value), 0)


def read_configured(config: Mapping[str, Any]) -> "Scope":
    """The scope of a cloud's merged configuration, openstacksdk's `CloudRegion.config`.

    Raises:
        ScopeError: as `read`; says that clouds.yaml is where to look, if it is.
    """
    value = config.get(KEY) or None  # openstacksdk takes an empty variable into its configuration
    return read(value) if value is None or isinstance(value, Given) else _configured(value)


def _configured(value: object) -> "Scope":
    return _named(f"{KEY} in clouds.yaml", value)


def _service(suffix: str) -> str:
    return "*" if suffix == _ALL else suffix.lower().replace("_", "-")


def _given(given: Given) -> "Scope":
    from openstackoid.core.errors import ScopeError  # noqa: PLC0415 - as in read
    from openstackoid.core.scope import Scope  # noqa: PLC0415 - as above

    entries: dict[str, Expression] = {}
    for text in given.texts:
        for kind, expression in _named(str(given.source), text).entries:
            if entries.setdefault(kind, expression) != expression:
                both = f"{entries[kind]} and {expression}"
                raise ScopeError(f"{given.source} is given several times, and names {both} for {kind}", str(given), 0)
    seen: dict[str, str] = {}
    for variable, service, value in given.services:
        for kind, expression in _named(variable, {service: value}).entries:
            if kind in seen:
                raise ScopeError(f"{seen[kind]} and {variable} both name {kind}", str(given), 0)
            seen[kind] = variable
            entries[kind] = expression
    return Scope.of(entries)


def _mapping(value: Mapping[Any, Any]) -> "Scope":
    from openstackoid.core.errors import ScopeError  # noqa: PLC0415 - as in read
    from openstackoid.core.scope import parse  # noqa: PLC0415 - as above

    try:
        text = json.dumps(dict(value))
    except (TypeError, ValueError, RecursionError):  # a date in YAML, a mapping that holds itself
        raise ScopeError("expected a mapping of strings", repr(value), 0) from None
    return parse(text)


def _named(source: str, value: object) -> "Scope":
    from openstackoid.core.errors import ScopeError  # noqa: PLC0415 - as in read

    try:
        return read(value)
    except ScopeError as error:
        raise ScopeError(f"{error.reason}, in {source},", error.text, error.position) from None
