"""The root of the tree of errors, its JSON form, and what belongs to no branch.

The JSON form is Keystone's (`{"error": {"code", "title", "message"}}`, keystone/server/flask/common.py), which
keystoneauth1 (`exceptions/http.py`, from_response) and every OpenStack client know how to show; our permanent code
stands beside it as `openstackoid_code`.
"""

from http import HTTPStatus
from typing import Any, ClassVar


class OpenStackoidError(Exception):
    """Something that OpenStackoid refuses or cannot do; `str()` is what a user reads."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"
    received: bool = True  # whether the other side may have got the request: false only if that is certain
    retry_after: float | None = None  # seconds after which the same request may succeed
    at: str = ""  # an address that belongs to it, for operators' logs alone: users are told names
    of_versions: bool = False  # whether a version document was asked for

    def body(self) -> dict[str, Any]:
        """The error as OpenStack's clients read it: `{"error": {code, title, message, openstackoid_code}}`.

        Instead of a version document, with an empty list of `versions`: python-cinderclient reads it whatever the status is (client.py,
        get_server_version), and Horizon answers 500 on its page of servers where it is missing.
        """
        error = {
            "code": self.status,
            "title": HTTPStatus(self.status).phrase,
            "message": str(self),
            "openstackoid_code": self.code,
        }
        return {"error": error, "versions": []} if self.of_versions else {"error": error}


class ConfigError(OpenStackoidError):
    """A configuration that cannot be served; the message names file, key and value."""

    code = "config.invalid"


class BusyError(OpenStackoidError):
    """Too many large documents are being rewritten."""

    status = 503
    code = "document.busy"
