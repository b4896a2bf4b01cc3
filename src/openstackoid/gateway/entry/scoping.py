"""The scope of a request: where one may stand, and which one it is.

A header wins over a token, and a token over the saved scope that the path names. In a federated token it is signed, and there is no choice.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from openstackoid.core import scope as scopes
from openstackoid.core.errors import TokenScopeError, UnknownScopeError
from openstackoid.core.scope import Scope
from openstackoid.gateway.entry import headers as heads
from openstackoid.gateway.entry.calls import NO_SCOPE, Call
from openstackoid.gateway.settings.config import Config

# What is longer is read anew each time: who sends it chooses its length, and 512 of them are remembered.
_SHORT: Final = 1024  # characters
_FEW: Final = 32  # services


@dataclass(frozen=True, slots=True)
class Given:
    """The scopes that came with a request.

    Attributes:
        header: the text of X-Scope, not read yet.
        carried: the text on the token of who asks.
        auth, subject: what stands on the two tokens.
    """

    header: str | None
    carried: str | None
    auth: Scope | None
    subject: Scope | None


def take(call: Call) -> Given:
    """Take scopes and tokens out of a call's headers; the call keeps the tokens, plain.

    Raises:
        ScopeError: what stands on a token is no scope.
    """
    carried = (call.headers.get(heads.AUTH) or "").partition(heads.MARK)[2] or None
    call.auth, auth = heads.split_token(call.headers.pop(heads.AUTH, None))
    call.subject, subject = heads.split_token(call.headers.pop(heads.SUBJECT, None))
    return Given(call.headers.pop(heads.SCOPE, None), carried, auth, subject)


def choose(call: Call, given: Given, config: Config) -> None:
    """Say what a call's way follows, and the scope of who sends it: they differ when a service validates another's token.

    Raises:
        ScopeError: the header holds no scope.
        UnknownScopeError: this cloud has saved none of that name.
    """
    saved = _saved(call.place.saved, config) if call.place.saved is not None else NO_SCOPE
    if given.header is not None:
        call.scope = call.sender = _parsed(given.header)
        call.text = given.header
        return
    call.scope = call.sender = given.auth if given.auth is not None else saved
    if given.subject is not None and call.place.service == "identity":
        call.scope = given.subject
    call.text = given.carried


def bind(call: Call, given: Given, signed: Scope) -> None:
    """Put the scope of a federated token on a call.

    Raises:
        ScopeError: the header holds no scope.
        TokenScopeError: another one came beside it.
    """
    call.scope = call.sender = signed
    other = _parsed(given.header) if given.header is not None else given.auth
    if other is not None and other != signed:
        raise TokenScopeError("The scope is signed into the token: nobody on the way can give another one.")


def explicit(scope: Scope, entry: str) -> Scope:
    """The same scope with every cloud named, as seen from its entry."""
    return _explicit(scope, entry) if len(scope.entries) <= _FEW else scope.explicit(entry)


@lru_cache(maxsize=512)
def _explicit(scope: Scope, entry: str) -> Scope:
    return scope.explicit(entry)


def _parsed(text: str) -> Scope:
    return _known(text) if len(text) <= _SHORT else scopes.parse(text)


@lru_cache(maxsize=512)
def _known(text: str) -> Scope:
    return scopes.parse(text)


def _saved(name: str, config: Config) -> Scope:
    if name not in config.scopes:
        known = ", ".join(sorted(config.scopes)) or "none"
        raise UnknownScopeError(f"{config.cloud} has no saved scope {name}. Saved are: {known}.")
    return config.scopes[name]
