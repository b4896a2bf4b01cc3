"""Validates a caller's credentials with Keystone: the user, their rights, and the expiry. The functions block; run them in a thread.

The address of Keystone and how its certificate is checked come from the configuration, never from the caller. Tokens are validated with
themselves (`GET /v3/auth/tokens`), which Keystone allows to every user.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import keystoneauth1.exceptions as keystone
from keystoneauth1 import access, plugin, session
from keystoneauth1.identity import v3
from keystoneauth1.identity.access import AccessInfoPlugin
from keystoneauth1.identity.base import BaseIdentityPlugin

from openstackoid.oaktree import answers, errors
from openstackoid.oaktree.upstream.credentials import Credential, UnauthenticatedError

# Parts of a token that do not affect the user's rights: two tokens of one user in one project differ only in these.
_OF_THE_TOKEN: Final = frozenset({"audit_ids", "catalog", "expires_at", "issued_at", "methods"})
_FORBIDDEN: Final = 403
_REFUSED: Final = frozenset({401, _FORBIDDEN, 404})


@dataclass(frozen=True)
class Keystone:
    """The Keystone that validates the credentials of a cloud."""

    cloud: str
    region: str  # the region whose rate limit and breaker apply
    url: str  # with /v3
    verify: Any = True  # as requests' `verify`
    cert: Any = field(default=None, repr=False)


@dataclass(frozen=True)
class Login:
    """Credentials that Keystone confirmed.

    Attributes:
        identity: the same for the same user with the same project and rights in this cloud.
        key: the same for the same credential and identity; does not reveal the credential.
        expires: seconds since the epoch.
        renews: whether a new token is requested when this one expires.
    """

    cloud: str
    identity: str
    key: str
    expires: float
    user_id: str
    project_id: str
    project: str
    domain_id: str  # the project's domain, or the domain of the scope
    domain: str
    renews: bool
    auth: plugin.BaseAuthPlugin = field(repr=False)


class _Token(AccessInfoPlugin):
    """A validated token. It cannot be renewed: when a service refuses it, it is dropped."""

    def __init__(self, info: access.AccessInfo, url: str, refused: Callable[[], None]) -> None:
        super().__init__(info, auth_url=url)
        self._refused = refused

    def invalidate(self) -> bool:
        self._refused()
        return False


class _ApplicationCredential(v3.ApplicationCredential):
    """Requests a new token when the old one expires or is refused; the next call then validates the user and their rights again."""

    def __init__(self, credential: Credential, url: str, refused: Callable[[], None]) -> None:
        super().__init__(
            auth_url=url, application_credential_id=credential.id, application_credential_secret=credential.secret
        )
        self._refused = refused

    def invalidate(self) -> bool:
        self._refused()
        return bool(super().invalidate())


def login(credential: Credential, at: Keystone, through: session.Session, refused: Callable[[], None]) -> Login:
    """Validate credentials with Keystone. Blocks.

    Args:
        credential: the caller's credential.
        at: the Keystone.
        through: the session to use.
        refused: called later, if a service of the cloud refuses the credential.

    Raises:
        UnauthenticatedError: Keystone refuses them, or they are for no project, domain, or system.
        Exception: of keystoneauth, if Keystone did not answer.
    """
    auth: BaseIdentityPlugin
    if credential.id:
        auth = _ApplicationCredential(credential, at.url, refused)
        try:
            info = auth.get_access(through)
        except keystone.HttpError as error:
            if error.http_status in _REFUSED and answers.of_a_service(error.response):
                raise _unconfirmed(credential, f"{at.cloud} refuses the application credential") from None
            raise
    else:
        info = _validated(credential, at, through)
        auth = _Token(info, at.url, refused)
    try:
        return _login(credential, at, info, auth)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise errors.AnswerError(f"{at.cloud} did not answer with a token's document") from None


def _login(credential: Credential, at: Keystone, info: access.AccessInfo, auth: BaseIdentityPlugin) -> Login:
    if info.expires is None or info.will_expire_soon(0):
        raise _unconfirmed(credential, f"the token for {at.cloud} has ended")
    if not info.scoped:
        raise _unconfirmed(
            credential, f"the token for {at.cloud} is for no project, domain or system: ask for one that is"
        )
    identity = _identity(at, auth)
    return Login(
        cloud=credential.cloud,
        identity=identity,
        key=f"{credential.digest}-{identity}",
        expires=info.expires.timestamp(),
        user_id=str(info.user_id),
        project_id=info.project_id or "",
        project=info.project_name or "",
        domain_id=info.project_domain_id or info.domain_id or "",
        domain=info.project_domain_name or info.domain_name or "",
        renews=bool(credential.id),
        auth=auth,
    )


def _validated(credential: Credential, at: Keystone, through: session.Session) -> access.AccessInfo:
    token = credential.secret
    response = through.get(
        f"{at.url}/auth/tokens",
        headers={"X-Auth-Token": token, "X-Subject-Token": token, "Accept": "application/json"},
        authenticated=False,
        redirect=False,
        raise_exc=False,
        log=False,
    )
    if response.status_code == _FORBIDDEN and answers.of_a_service(response):
        # A trust's with impersonation, from EC2 credentials, or without a scope (keystone/common/policies/token.py).
        raise _unconfirmed(
            credential, f"{at.cloud} does not let a token of this kind validate itself: use a token of another kind"
        )
    if response.status_code in _REFUSED and answers.of_a_service(response):
        raise _unconfirmed(credential, f"{at.cloud} does not know the token, or it has ended or was revoked")
    if response.status_code != 200:  # noqa: PLR2004 - an HTTP status
        raise keystone.from_response(response, "GET", at.url)
    try:
        return access.create(body=response.json(), auth_token=token)
    except (ValueError, TypeError):
        raise errors.AnswerError(f"{at.cloud} did not answer with a token's document") from None


def _unconfirmed(credential: Credential, message: str) -> UnauthenticatedError:
    return UnauthenticatedError(message, cloud=credential.cloud)


def _identity(at: Keystone, auth: BaseIdentityPlugin) -> str:
    """A digest of the token's user, scope and rights: it differs if one right is added or removed."""
    token = json.loads(auth.get_auth_state() or "{}")["body"]["token"]
    document = {name: value for name, value in token.items() if name not in _OF_THE_TOKEN}
    document["roles"] = sorted(str(role.get("id")) for role in document.get("roles") or ())
    return hashlib.sha256(json.dumps([at.cloud, at.url, document], sort_keys=True).encode()).hexdigest()
