"""Requests to the control plane of virtual regions, with the client's session."""

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from osc_lib.exceptions import CommandError

if TYPE_CHECKING:
    from keystoneauth1.session import Session

SERVICE_TYPE: Final = "virtual-region"
_VERSION: Final = {"OpenStack-API-Version": f"{SERVICE_TYPE} 1.0"}
_SHOWN: Final = 200  # characters of an answer that is not what we asked for


class ControlPlane:
    """The control plane of the cloud whose token the client has.

    Args:
        session: keystoneauth1's.
        interface: of the catalog's endpoint.
        region: of the same.
    """

    def __init__(self, session: "Session", interface: str | None, region: str | None) -> None:
        self._session = session
        self._filter = {"service_type": SERVICE_TYPE, "interface": interface or "public", "region_name": region}

    def get(self, *path: str, **query: str | None) -> dict[str, Any]:
        """Read a path below `/v1`; parameters that are None are left out."""
        given = {name: value for name, value in query.items() if value is not None}
        return self._request("GET", path, None, f"?{urlencode(given)}" if given else "")

    def post(self, *path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Create something, or cause an event."""
        return self._request("POST", path, body or {})

    def patch(self, *path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Change something."""
        return self._request("PATCH", path, body)

    def delete(self, *path: str) -> dict[str, Any]:
        """Retire something."""
        return self._request("DELETE", path, None)

    def _request(
        self, method: str, path: tuple[str, ...], body: dict[str, Any] | None, query: str = ""
    ) -> dict[str, Any]:
        """Send a request.

        Raises:
            CommandError: a refusal, with its permanent code; or no control plane answers.
        """
        url = "/v1/" + "/".join(quote(part, safe="") for part in path) + query
        more: Any = {} if body is None else {"json": body}
        answer = self._session.request(
            url, method, endpoint_filter=self._filter, headers=_VERSION, raise_exc=False, **more
        )
        try:
            document = answer.json()
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise CommandError(
                f"No control plane of virtual regions answers: HTTP {answer.status_code} {answer.text[:_SHOWN]!r}"
            )
        if not answer.ok:
            error = document.get("error")
            error = error if isinstance(error, dict) else {}
            raise CommandError(f"{error.get('message')} (HTTP {answer.status_code}, {error.get('openstackoid_code')})")
        return document
