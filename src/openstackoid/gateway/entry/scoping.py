"""The scope of a request: the places where it may be given, and their precedence.

A header wins over a token, and a token over the saved scope that the path names. A federated token carries a signed scope, which always counts.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from openstackoid.core import scope as scopes
from openstackoid.core.errors import TokenScopeError, UnknownScopeError
from openstackoid.core.scope import Scope
from openstackoid.gateway.entry.calls import Arrival, Call

NO_SCOPE: Final = Scope()
# A longer scope is parsed anew each time: its sender chooses its length, and the cache keeps 512 scopes.
_MAX_REMEMBERED: Final = 1024  # characters
_MAX_REMEMBERED_SERVICES: Final = 32


class Scoping:
    """Gives requests their scope.

    Args:
        cloud: this cloud's name.
        saved: the saved scopes by name.
    """

    def __init__(self, cloud: str, saved: Mapping[str, Scope]) -> None:
        self._cloud = cloud
        self._saved = saved

    def follow(self, arrival: Arrival, signed: Scope | None) -> Call:
        """The request with its scope.

        Args:
            arrival: the request.
            signed: the scope that is signed into its token; None if the sender chooses the scope.

        Raises:
            ScopeError: the header's value is not a scope.
            UnknownScopeError: this cloud has no saved scope of that name.
            TokenScopeError: the request has another scope beside the signed one.
        """
        if signed is not None:
            return self._signed(arrival, signed)
        # Checked even if another scope wins: an unknown name in the path is a mistake.
        saved = self.saved(arrival.route.saved_scope) if arrival.route.saved_scope is not None else NO_SCOPE
        if arrival.scope_header is not None:
            scope = _parsed(arrival.scope_header)
            return _call(arrival, scope, scope, arrival.scope_header)
        caller = arrival.auth_scope if arrival.auth_scope is not None else saved
        subject = arrival.subject_scope if arrival.route.service == "identity" else None
        scope = caller if subject is None else subject
        return _call(arrival, scope, caller, arrival.auth_scope_text)

    def saved(self, name: str) -> Scope:
        """A saved scope.

        Raises:
            UnknownScopeError: this cloud has no saved scope of that name.
        """
        if name not in self._saved:
            known = ", ".join(sorted(self._saved)) or "none"
            raise UnknownScopeError(f"{self._cloud} has no saved scope {name}. Saved are: {known}.")
        return self._saved[name]

    def _signed(self, arrival: Arrival, signed: Scope) -> Call:
        other = _parsed(arrival.scope_header) if arrival.scope_header is not None else arrival.auth_scope
        if other is not None and other != signed:
            raise TokenScopeError("The scope is signed into the token: nobody on the way can give another one.")
        return _call(arrival, signed, signed, None)


def explicit(scope: Scope, entry: str) -> Scope:
    """The same scope with every cloud named, as seen from its entry."""
    return _explicit(scope, entry) if len(scope.entries) <= _MAX_REMEMBERED_SERVICES else scope.explicit(entry)


@lru_cache(maxsize=512)
def _explicit(scope: Scope, entry: str) -> Scope:
    return scope.explicit(entry)


def _call(arrival: Arrival, scope: Scope, caller_scope: Scope, text: str | None) -> Call:
    return Call(
        arrival.request,
        arrival.listener,
        arrival.route,
        arrival.hops,
        arrival.headers,
        arrival.auth,
        arrival.subject,
        scope,
        caller_scope,
        text,
    )


def _parsed(text: str) -> Scope:
    return _known(text) if len(text) <= _MAX_REMEMBERED else scopes.parse(text)


@lru_cache(maxsize=512)
def _known(text: str) -> Scope:
    return scopes.parse(text)
