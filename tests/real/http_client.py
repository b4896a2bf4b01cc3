"""Plain HTTP as one user of CloudOne: a tenth of what the stock client costs, where the client is not what a test is about."""

from typing import Any

import requests

from .conftest import User


class HttpClient:
    """Sends requests to CloudOne's frontends, with one token, a scope, and connections that are kept.

    A scope is an expression for the service that is asked, or the JSON object for several services.

    Args:
        user: whose token it is.
    """

    def __init__(self, user: User) -> None:
        self._user, self._token, self._session = user, user.token(), requests.Session()

    def send(self, method: str, service: str, path: str, scope: str, document: Any = None) -> requests.Response:
        """The answer, whatever its status; `path` may be a whole URL; a document that is bytes is data as it stands."""
        url = path if path.startswith("http") else self.base(service) + path
        headers = {
            "X-Auth-Token": self._token,
            "X-Scope": scope if scope.startswith("{") else f'{{"{service}":"{scope}"}}',
        }
        body: Any = {"json": document}
        if isinstance(document, bytes):
            body = {"data": document}
            headers["Content-Type"] = "application/octet-stream"
        return self._session.request(method, url, headers=headers, timeout=120, **body)

    def ask(self, method: str, service: str, path: str, scope: str, document: Any = None) -> Any:
        """The document of the answer, which must be a success; none if it is empty."""
        answer = self.send(method, service, path, scope, document)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def base(self, service: str) -> str:
        """The URL that paths of a service begin with."""
        return self._user.frontend(service)
