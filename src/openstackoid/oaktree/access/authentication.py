"""Authenticates callers: by the credentials in the metadata, the client certificate, or the local connection.

Credentials in the metadata are never ignored: if they are invalid, the call is refused. So a server that passes on its callers' credentials can
never act with more rights than theirs, whatever certificate it presents.
"""

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Final

import grpc
from grpc import StatusCode

from openstackoid.core.errors import ConfigError
from openstackoid.oaktree import config, errors
from openstackoid.oaktree.access.callers import PATH, Caller, Known, Local, Users, Way
from openstackoid.oaktree.access.logins import Logins
from openstackoid.oaktree.upstream import credentials
from openstackoid.oaktree.upstream.clouds import Clouds
from openstackoid.oaktree.upstream.credentials import Credential, UnauthenticatedError
from openstackoid.oaktree.upstream.tokens import Keystone, Login

_IDENTITIES: Final = ("peer_dns", "peer_uri", "x509_subject_alternative_name", "x509_common_name")


_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_DEEPEST: Final = 8


class LoopError(errors.OaktreeError):
    """A call came back to a server that it had passed, or passed too many servers."""

    code: ClassVar[StatusCode] = StatusCode.FAILED_PRECONDITION
    reason: ClassVar[str] = "LOOP"


class Authentication:
    """Authenticates callers."""

    def __init__(self, settings: config.Config, clouds: Clouds, logins: Logins) -> None:
        """Check the names.

        Args:
            settings: the server's configuration.
            clouds: all clouds.
            logins: validates credentials.

        Raises:
            ConfigError: a cloud and another oaktree have the same name, which would make requests ambiguous.
        """
        self._site_names: Final = tuple(sorted(oaktree.name for oaktree in settings.oaktrees))
        for cloud in clouds.names:
            if cloud.partition("/")[0] in self._site_names:
                raise ConfigError(
                    f"oaktrees: a cloud of clouds.yaml is named {cloud}: expected other names for other oaktrees"
                )
        for site in self._site_names:
            if clouds.peers.home(site):
                raise ConfigError(
                    f"oaktrees: {site} looks like a peer of {clouds.peers.home(site)}: expected another name"
                )
        self._settings: Final = settings
        self._clouds: Final = clouds
        self._logins: Final = logins

    async def __call__(self, context: grpc.aio.ServicerContext[Any, Any]) -> Caller:
        """Authenticate the caller.

        Raises:
            UnauthenticatedError: the caller is unknown, or a credential is invalid.
            errors.InvalidError: the metadata is malformed.
        """
        callers = self._settings.callers
        way = self._way(context.invocation_metadata() or ())
        identities = context.auth_context()
        secure = identities.get("transport_security_type") != [b"insecure"]
        certificate = _certificate(callers.certificates, identities) if secure else None
        given = credentials.parse(context.invocation_metadata() or ())
        if secure and certificate is None and self._settings.tls and self._settings.tls.client_ca:
            raise UnauthenticatedError(
                "the certificate is nobody's who is known here: callers.certificates names those who are"
            )
        if given:
            if callers.tokens is None:
                raise UnauthenticatedError(
                    "this server takes no credentials in the metadata: callers.tokens is not configured"
                )
            return await self._users(callers.tokens, given, context, way)
        if certificate is not None:
            policy = self._settings.policy(certificate.policy)
            return Known(f"certificate:{certificate.name}", self._clouds, policy, way)
        if not secure and callers.local_allowed:
            return Local(self._clouds, way)
        wanted = [f"metadata {credentials.TOKEN} or {credentials.APPLICATION_CREDENTIAL}"] if callers.tokens else []
        raise UnauthenticatedError(
            f"who calls is not known: expected {' or '.join(wanted) or 'a certificate, over TLS'}"
        )

    def _way(self, metadata: Iterable[tuple[str, Any]]) -> Way:
        """The servers that the call has passed, with this one.

        Raises:
            LoopError: the call has passed this server before, or too many servers.
        """
        given = [value for name, value in metadata if name == PATH]
        passed = given[0].split(",") if given and isinstance(given[0], str) else []
        if len(given) > 1 or not all(_ID.fullmatch(token_id) for token_id in passed):
            raise errors.invalid(f"metadata.{PATH}", "expected ids of servers with commas between them, once")
        if self._settings.id in passed:
            raise LoopError("the call has passed this oaktree before: two oaktrees have each other among their own")
        if len(passed) >= _DEEPEST:
            raise LoopError(f"the call has passed {len(passed)} oaktrees: more than {_DEEPEST} are not passed")
        return Way(self._site_names, ",".join([*passed, self._settings.id]))

    async def _users(self, settings: config.Tokens, given: Sequence[Credential], context: Any, way: Way) -> Users:
        passed = [credential for credential in given if credential.cloud.partition("/")[0] in self._site_names]
        here = [credential for credential in given if credential not in passed]
        for credential in here:
            if credential.cloud not in self._clouds.names:
                # Do not list the clouds to an unauthenticated caller.
                raise errors.invalid(
                    "metadata", f"a credential is for {credential.cloud!r}, which is no cloud of this server"
                )
        left = context.time_remaining()
        wait = settings.wait if left is None else min(settings.wait, left / 2)
        sender = _sender(context.peer())
        asked: dict[tuple[str, Keystone], Credential] = {}
        places: dict[tuple[str, str], tuple[str, Keystone]] = {}
        for credential in here:
            seen: dict[str, Keystone] = {}
            for region, keystone in self._clouds.keystones(credential.cloud).items():
                at = seen.setdefault(keystone.url, keystone)  # most clouds have one Keystone for all regions
                asked[credential.cloud, at] = credential
                places[credential.cloud, region] = credential.cloud, at
        answers = await asyncio.gather(
            *(self._logins.get(credential, at, sender, wait) for (_, at), credential in asked.items()),
            return_exceptions=True,
        )
        outcomes: dict[tuple[str, Keystone], Login | Exception] = {}
        for key, answer in zip(asked, answers, strict=True):
            if isinstance(answer, UnauthenticatedError) or not isinstance(answer, Login | Exception):
                raise answer
            outcomes[key] = answer
        policy = self._settings.policy(settings.policy)
        logins = {place: outcomes[key] for place, key in places.items()}
        return Users(self._clouds, policy, way, logins=logins, passed=passed)


def _certificate(
    known: Iterable[config.Certificate], identities: Mapping[str, Iterable[bytes]]
) -> config.Certificate | None:
    """The first configured certificate that the names of the client certificate match. TLS has verified the signature."""
    names = {
        name: [identity.decode("utf-8", "replace") for identity in identities.get(name, ())] for name in _IDENTITIES
    }
    hosts = {host.lower() for host in names["peer_dns"]}
    for caller in known:
        if caller.san is not None and (caller.san.lower() in hosts or caller.san in names["peer_uri"]):
            return caller
        # As in RFC 6125: the subject is used only if there are no subject alternative names.
        unnamed = not names["x509_subject_alternative_name"]
        if caller.common_name is not None and unnamed and [caller.common_name] == names["x509_common_name"]:
            return caller
    return None


def _sender(peer: str) -> str:
    """The origin of a call, without the port: an IPv4 address, an IPv6 network, or this machine."""
    kind, _, address = peer.partition(":")
    if kind == "ipv6":
        host = address.replace("%5B", "[").replace("%5D", "]").rpartition("]")[0].lstrip("[")
        return f"ipv6:{':'.join(host.split(':')[:4])}"
    return f"{kind}:{address.rpartition(':')[0]}"
