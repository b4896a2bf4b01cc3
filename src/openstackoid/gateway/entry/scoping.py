"""The scope of a request: the places where it may be given, and their precedence.

A header wins over a token, and a token over the saved scope that the path names. A federated token carries a signed scope, which always counts.

A region of this cloud that is part of another one is a saved scope too, `{"*": PROVIDER, "identity": this cloud}`, with a contract. The
configuration's scopes win over regions of the same name.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

from openstackoid.core import scope as scopes
from openstackoid.core.errors import TokenScopeError, UnknownScopeError
from openstackoid.core.scope import Scope
from openstackoid.gateway.entry.calls import Arrival, Call
from openstackoid.trust.contracts import ContractGrant

NO_SCOPE: Final = Scope()
# A longer scope is parsed anew each time: its sender chooses its length, and the cache keeps 512 scopes.
_MAX_REMEMBERED: Final = 1024  # characters
_MAX_REMEMBERED_SERVICES: Final = 32


class Scoping:
    """Gives requests their scope.

    Args:
        cloud: this cloud's name.
        saved: the saved scopes by name.
        regions: gives the contracts of regions, by the regions' names, as they are now.
    """

    def __init__(
        self,
        cloud: str,
        saved: Mapping[str, Scope],
        regions: Callable[[], Mapping[str, ContractGrant]] = dict,
    ) -> None:
        self._cloud = cloud
        self._saved = saved
        self._regions = regions

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
        name = arrival.route.saved_scope
        saved = self.saved(name) if name is not None else NO_SCOPE
        if arrival.scope_header is not None:
            scope = _parsed(arrival.scope_header)
            return _call(arrival, scope, scope, arrival.scope_header)
        caller = arrival.auth_scope if arrival.auth_scope is not None else saved
        subject = arrival.subject_scope if arrival.route.service == "identity" else None
        scope = caller if subject is None else subject
        contract = self._contract(name) if name is not None and scope is saved else None
        return _call(arrival, scope, caller, arrival.auth_scope_text, contract)

    def saved(self, name: str) -> Scope:
        """A saved scope, or that of a region.

        Raises:
            UnknownScopeError: this cloud has neither of that name.
        """
        if name in self._saved:
            return self._saved[name]
        contract = self._contract(name)
        if contract is None:
            # Without the regions' names: who may see them is for the catalog to say.
            known = ", ".join(sorted(self._saved)) or "none"
            raise UnknownScopeError(f"{self._cloud} has no saved scope and no region {name}. Saved are: {known}.")
        return _of_region(contract.peer, self._cloud)

    def is_region(self, name: str) -> bool:
        """Whether a name in a path is a region's, and not a saved scope's."""
        return self._contract(name) is not None

    def _contract(self, name: str) -> ContractGrant | None:
        return None if name in self._saved else self._regions().get(name)

    def _signed(self, arrival: Arrival, signed: Scope) -> Call:
        other = _parsed(arrival.scope_header) if arrival.scope_header is not None else arrival.auth_scope
        if other is not None and other != signed:
            raise TokenScopeError("The scope is signed into the token: nobody on the way can give another one.")
        return _call(arrival, signed, signed, None)


def explicit(scope: Scope, entry: str) -> Scope:
    """The same scope with every cloud named, as seen from its entry."""
    if scope.is_explicit:  # as those of the clouds of a plan are, each with a scope of its own
        return scope
    return _explicit(scope, entry) if len(scope.entries) <= _MAX_REMEMBERED_SERVICES else scope.explicit(entry)


@lru_cache(maxsize=512)
def _explicit(scope: Scope, entry: str) -> Scope:
    return scope.explicit(entry)


@lru_cache(maxsize=512)
def _of_region(provider: str, cloud: str) -> Scope:
    return Scope.of_region(provider, cloud)


def _call(
    arrival: Arrival, scope: Scope, caller_scope: Scope, text: str | None, contract: ContractGrant | None = None
) -> Call:
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
        contract=contract,
    )


def _parsed(text: str) -> Scope:
    return _known(text) if len(text) <= _MAX_REMEMBERED else scopes.parse(text)


@lru_cache(maxsize=512)
def _known(text: str) -> Scope:
    return scopes.parse(text)
