"""The client's own requests to a gateway; they need no token.

The gateway stands at the origin (scheme, host, port) of auth_url, whatever path Keystone has there.
"""

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

from keystoneauth1.exceptions import ClientException
from keystoneauth1.session import Session
from osc_lib.exceptions import CommandError

from openstackoid.client import settings
from openstackoid.core.protocol import EXPLAIN_PATH, PEERS_PATH, SCOPE, SCOPED_PREFIX, SCOPES_PATH, WELL_KNOWN_PATH
from openstackoid.core.scope import Scope
from openstackoid.core.scope import format as write

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECONDS: Final = 60.0
_SHOWN: Final = 120  # characters of an answer that is not what we asked for


class Gateway:
    """The gateway of the entry cloud.

    Attributes:
        origin: its address, without a path.
        scope: the scope of the command.
        saved: `/scope/NAME` if auth_url names a saved scope, else empty.
    """

    def __init__(self, origin: str, session: Session, scope: Scope, saved: str = "") -> None:
        """Send nothing yet."""
        self.origin = origin
        self.scope = scope
        self.saved = saved
        self._session = session

    @classmethod
    def of(cls, manager: Any) -> "Gateway":
        """The gateway that an `openstack` command's configuration leads to.

        Args:
            manager: osc_lib's ClientManager.

        Raises:
            CommandError: there is no auth_url.
            ScopeError: the scope is malformed.
        """
        config = manager.get_configuration()
        scope = settings.read_configured(config)
        # Without a login the option stays where the command line put it (OpenStackConfig.get_one with validate=False).
        url = config.get("auth_url") or (config.get("auth") or {}).get("auth_url") or ""
        parts = urlsplit(str(url))
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            raise CommandError(
                f"Expected auth_url to be the http(s) address of a cloud, got {str(url)!r}: set OS_CLOUD, OS_AUTH_URL or --os-auth-url"
            )
        session = Session(verify=manager.verify, cert=manager.cert, timeout=_SECONDS, user_agent="openstackoid")
        if scope:
            session.additional_headers[SCOPE] = write(scope)
        name = parts.path.removeprefix(SCOPED_PREFIX).partition("/")[0] if parts.path.startswith(SCOPED_PREFIX) else ""
        saved = f"{SCOPED_PREFIX}{name}" if name else ""
        return cls(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}", session, scope, saved)

    def explain(self, service: str, *, method: str = "GET", path: str = "/") -> dict[str, Any]:
        """Where a request would go under the scope, and why."""
        query = {"service": service, "method": method.upper(), "path": path}
        return self._get(
            f"{self.saved}{EXPLAIN_PATH}?" + "&".join(f"{key}={quote(value, safe='/')}" for key, value in query.items())
        )

    def peers(self) -> list[dict[str, Any]]:
        """The clouds that this one collaborates with."""
        return list(self._get(PEERS_PATH, "peers")["peers"])

    def scopes(self) -> list[dict[str, Any]]:
        """The saved scopes of this cloud."""
        return list(self._get(SCOPES_PATH, "scopes")["scopes"])

    def services(self) -> list[str]:
        """The service types of the entry cloud."""
        return sorted(self._get(WELL_KNOWN_PATH, "services")["services"])

    def _get(self, path: str, *required: str) -> dict[str, Any]:
        url = self.origin + path
        try:
            answer = self._session.get(url, authenticated=False, raise_exc=False)
        except ClientException as error:
            raise CommandError(f"No answer to GET {url}: {error}") from error
        body: Any
        try:
            body = answer.json()
        except ValueError:
            body = None
        if isinstance(body, dict):
            refusal = body.get("error")
            # Keystone answers unknown paths in the same form; the code of ours tells them apart.
            if not answer.ok and isinstance(refusal, dict) and "openstackoid_code" in refusal:
                raise CommandError(
                    f"{refusal.get('message')} (HTTP {answer.status_code}, {refusal['openstackoid_code']})"
                )
            if answer.ok and _has(body, required or ("decision",)):
                return body
        came = " ".join(answer.text[:_SHOWN].split())
        raise CommandError(
            f"No OpenStackoid gateway at {self.origin}: expected a gateway's JSON answer to GET {url}, "
            f"got HTTP {answer.status_code}: {came or 'nothing'}. Set auth_url to the address of a gateway; "
            "an operator knows it, and `openstack catalog list` shows where the services' URLs lead"
        )


def _has(body: "Mapping[str, Any]", keys: tuple[str, ...]) -> bool:
    return all(key in body for key in keys)
