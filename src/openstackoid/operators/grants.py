"""Grants from the options of commands, and grants as people read them."""

import argparse
from typing import Any, Final

from pydantic import ValidationError

from openstackoid.gateway.settings.config import Config
from openstackoid.output import fields, refuse
from openstackoid.trust.grants import Grant

_LISTS: Final = ("service", "rule", "role", "home")
_SINGLE: Final = ("admin_roles", "projects", "most_projects", "rate", "pseudonyms", "project_pseudonyms")


class GrantError(ValueError):
    """Options that do not make a valid grant; `str()` names the option, and the expected and the actual value."""


def given(arguments: argparse.Namespace) -> bool:
    """Whether any option of a grant is given."""
    names = (*_LISTS, *_SINGLE)
    return any(getattr(arguments, name) is not None for name in names)


def chosen(arguments: argparse.Namespace, before: Grant) -> Grant:
    """The given grant, changed by the options.

    Raises:
        GrantError: an option is wrong, or does not go with the rest.
    """
    changes: dict[str, Any] = {}
    for name in _LISTS:
        words = getattr(arguments, name)
        if words is None:
            continue
        if "none" in words and len(words) > 1:
            raise GrantError(f"--{name}: none goes with nothing else")
        words = [] if words == ["none"] else words
        if name == "service":
            changes["services"] = words
        elif name == "role":
            changes["roles"] = dict(_role(word) for word in words)
        else:
            changes[{"rule": "rules", "home": "home"}[name]] = [_rule(name, word) for word in words]
    for name in _SINGLE:
        if getattr(arguments, name) is not None:
            changes[name] = getattr(arguments, name)
    if changes.get("rate") == "none":
        changes["rate"] = None
    try:
        return Grant.model_validate(before.model_dump(mode="json") | changes)
    except ValidationError as error:
        raise GrantError("\n".join(_told(detail) for detail in error.errors())) from None


def chosen_or_refuse(arguments: argparse.Namespace, before: Grant) -> Grant:
    """The same as `chosen`; a wrong option ends the command with exit code 2 and its usage."""
    try:
        return chosen(arguments, before)
    except GrantError as error:
        refuse(arguments, str(error))


def lines(grant: Grant, config: Config) -> list[str]:
    """A grant as people read it, with likely mistakes."""
    text = fields(words(grant)).splitlines()
    if missing := sorted(set(grant.offered) - config.here.services.keys()):
        text.append(f"This cloud serves no {', no '.join(missing)}.")
    if why := empty(grant):
        text.append(f"Nobody of theirs gets in with that: {why}")
    return text


def words(grant: Grant) -> list[tuple[str, object]]:
    """A grant as people read it, a name and a value a line."""
    lines: list[tuple[str, object]] = [("services", ", ".join(grant.services) or "none")]
    lines += [("rule", rule) for rule in grant.rules]
    lines.append(("roles", ", ".join(f"{theirs} as {ours}" for theirs, ours in grant.roles.items()) or "none"))
    if grant.admin_roles:
        lines.append(("admin roles", grant.admin_roles))
    made = f", {grant.most_projects} at most" if grant.projects.kind == "each" else ""
    lines.append(("projects", f"{grant.projects}{made}"))
    lines.append(("rate", "no limit" if grant.rate is None else f"{grant.rate:g} requests a second"))
    lines += [("for our own users", rule) for rule in grant.home] or [("for our own users", "nothing")]
    lines.append(("pseudonyms", "yes" if grant.pseudonyms else "no"))
    lines.append(("project pseudonyms", "yes" if grant.project_pseudonyms else "no"))
    return lines


def empty(grant: Grant) -> str | None:
    """Why a grant admits none of the peer's users, if so."""
    if not grant.allows:
        return "it allows no request: say --service or --rule"
    if not grant.roles:
        return "no role of theirs counts here: say --role"
    return None


def _role(word: str) -> tuple[str, str]:
    theirs, equals, ours = word.partition("=")
    if not theirs or (equals and not ours):
        raise GrantError(f"--role: expected THEIRS or THEIRS=OURS, got {word!r}")
    return theirs, ours or theirs


def _rule(name: str, word: str) -> dict[str, str]:
    parts = word.split()
    if len(parts) != 3:  # noqa: PLR2004 - method, service, path
        raise GrantError(f'--{name}: expected "METHOD SERVICE PATH" such as "GET image /v2/images/**", got {word!r}')
    return {"method": parts[0], "service": parts[1], "path": parts[2]}


def _told(detail: Any) -> str:
    option = {"services": "service", "rules": "rule", "roles": "role"}
    key = next((option.get(part, part).replace("_", "-") for part in detail["loc"] if isinstance(part, str)), None)
    message = str(detail["msg"]).removeprefix("Value error, ")
    value = detail["input"]
    came = f" (got {value!r})" if isinstance(value, (str, int, float)) else ""
    return f"--{key}: {message}{came}" if key else message
