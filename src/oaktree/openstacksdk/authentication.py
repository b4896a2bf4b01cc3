"""The authentication plugin `oaktree`: its options, and the endpoints that it gives to openstacksdk."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import keystoneauth1.discover
import keystoneauth1.session
from keystoneauth1 import plugin
from os_service_types import ServiceTypes

from oaktree.client import ApplicationCredential, Certificate, Credential, Oaktree, Token, connect
from oaktree.openstacksdk.transport import SCHEME, Transport, encoded


@dataclass(frozen=True)
class Options:
    """The options under `auth` of an entry. All are optional.

    Attributes:
        oaktree_target: "host:port" or "unix:/path"; by default $OAKTREE_TARGET, or the socket of this user's own oaktree.
        oaktree_authority: a PEM file with the authorities of the oaktree's certificate.
        oaktree_certificate: a PEM file with the caller's certificate, for mutual TLS.
        oaktree_key: a PEM file with its key.
        oaktree_plaintext: no TLS; only to this machine.
        oaktree_cloud: the cloud that issued the token or application credential, by its name in the oaktree.
        oaktree_token: a Keystone token.
        application_credential_id: the id of an application credential.
        application_credential_secret: its secret.
        oaktree_failures: "raise" an error in a list for which some clouds did not answer, or "warn".
    """

    oaktree_target: str | None = None
    oaktree_authority: str | None = None
    oaktree_certificate: str | None = None
    oaktree_key: str | None = None
    oaktree_plaintext: bool = False
    oaktree_cloud: str = ""
    oaktree_token: str | None = field(default=None, repr=False)
    application_credential_id: str | None = None
    application_credential_secret: str | None = field(default=None, repr=False)
    oaktree_failures: str = "raise"

    def connect(self) -> Oaktree:
        """Make a client; the first call opens the connection."""
        credentials: list[Credential] = []
        if self.oaktree_token:
            credentials.append(Token(self.oaktree_cloud, self.oaktree_token))
        if self.application_credential_id and self.application_credential_secret:
            identity = self.application_credential_id, self.application_credential_secret
            credentials.append(ApplicationCredential(self.oaktree_cloud, *identity))
        return connect(
            self.oaktree_target,
            credentials=credentials,
            certificate=Certificate(Path(self.oaktree_certificate), Path(self.oaktree_key))
            if self.oaktree_certificate and self.oaktree_key
            else None,
            authority=Path(self.oaktree_authority) if self.oaktree_authority else None,
            plain=self.oaktree_plaintext,
        )


class Plugin(plugin.BaseAuthPlugin):
    """Gives each service an endpoint whose requests go through an oaktree."""

    def __init__(self, **options: Any) -> None:
        """Use the options of an entry, see `Options`."""
        super().__init__()
        given = Options(**{name: value for name, value in options.items() if value is not None})
        if given.oaktree_failures not in ("raise", "warn"):
            raise ValueError(f"auth.oaktree_failures: expected raise or warn, got {given.oaktree_failures!r}")
        self._transport: Final = Transport(given.connect, given.oaktree_failures)

    def get_token(self, session: keystoneauth1.session.Session) -> str | None:  # noqa: ARG002 - keystoneauth's signature
        """None: oaktree's calls have credentials of their own."""
        return None

    def get_headers(self, session: keystoneauth1.session.Session) -> dict[str, str]:  # noqa: ARG002 - keystoneauth's signature
        """No headers."""
        return {}

    def get_endpoint_data(
        self,
        session: keystoneauth1.session.Session,
        *,
        endpoint_override: str | None = None,  # noqa: ARG002 - keystoneauth's signature
        discover_versions: bool = True,  # noqa: ARG002 - keystoneauth's signature
        service_type: str | None = None,
        region_name: str | None = None,
        **_: Any,
    ) -> keystoneauth1.discover.EndpointData | None:
        """The endpoint of a service; None if oaktree has no kinds of the service.

        Args:
            session: the session that will send the requests.
            endpoint_override: not used.
            discover_versions: not used.
            service_type: an official service type, or an alias of one.
            region_name: "CLOUD" or "CLOUD/REGION": a location; every location if empty.
        """
        session.mount(f"{SCHEME}://", self._transport)
        official = ServiceTypes().get_service_type(service_type or "") or service_type or ""
        service = official.replace("-", "_")
        version = self._transport.routes.version(service)
        if version is None:
            return None
        # openstacksdk appends "v2.0" itself if the endpoint of network or load-balancer does not end in it.
        url = f"{SCHEME}://oaktree/{encoded(region_name or '')}/{service}/v{version}.0"
        return keystoneauth1.discover.EndpointData(
            catalog_url=url,
            service_url=url,
            service_type=service_type,
            region_name=region_name,
            api_version=(version, 0),
        )
