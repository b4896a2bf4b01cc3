"""The access rules of an application credential. The other cloud does not know them, so they are enforced before a request goes there."""

from typing import Final

from openstackoid.core.catalog import Json
from openstackoid.core.errors import TokenScopeError
from openstackoid.core.services import service_type
from openstackoid.trust.rules import Rule, allowed, is_pattern

_MAX_RULES: Final = 64  # rules


def of(body: Json) -> tuple[Rule, ...] | None:
    """The rules of a token's application credential; None if it has none. A rule whose path is no pattern here allows nothing.

    Args:
        body: Keystone's `token` object.

    Raises:
        TokenScopeError: there are more rules than the gateway compares.
    """
    rules = (body.get("application_credential") or {}).get("access_rules")
    if rules is None:
        return None
    if len(rules) > _MAX_RULES:
        raise TokenScopeError(
            f"The application credential has {len(rules)} access rules; {_MAX_RULES} are compared at most. Make one with fewer."
        )
    return tuple(
        Rule(service_type(rule["service"]) or rule["service"], rule["method"], rule["path"])
        for rule in rules
        if is_pattern(rule["path"])
    )


def check(rules: tuple[Rule, ...] | None, asked: Rule | None) -> None:
    """Enforce an application credential's rules.

    Args:
        rules: as `of` returns them.
        asked: the request, whose path is not a pattern; None stands for any request.

    Raises:
        TokenScopeError: no rule allows it.
    """
    if rules is not None and (asked is None or not allowed(rules, asked.service, asked.method, asked.path)):
        raise TokenScopeError("The application credential's access rules do not allow this request.")
