"""oaktree: one gRPC API for all clouds. Messages and stubs, and helpers for them.

import oaktree

with oaktree.connect() as tree:
for server in tree.everywhere.servers():
print(server.location.cloud, server.name, server.status)
"""

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from oaktree.client import ApplicationCredential as ApplicationCredential
    from oaktree.client import Certificate as Certificate
    from oaktree.client import Credential as Credential
    from oaktree.client import Oaktree as Oaktree
    from oaktree.client import Token as Token
    from oaktree.client import connect as connect
    from oaktree.everywhere import CloudsFailedError as CloudsFailedError
    from oaktree.everywhere import CloudsFailedWarning as CloudsFailedWarning
    from oaktree.rest import rest_session as rest_session
    from oaktree.watching import watch as watch

# Imported on first use: programs that use only the messages do not need gRPC.
_FROM: Final = {
    "ApplicationCredential": "client",
    "Certificate": "client",
    "Credential": "client",
    "Oaktree": "client",
    "Token": "client",
    "connect": "client",
    "CloudsFailedError": "everywhere",
    "CloudsFailedWarning": "everywhere",
    "rest_session": "rest",
    "watch": "watching",
}
__all__ = sorted(_FROM)  # noqa: PLE0605 - the names above


def __getattr__(name: str) -> Any:
    if name not in _FROM:
        raise AttributeError(f"module 'oaktree' has no attribute {name!r}")
    return getattr(importlib.import_module(f"oaktree.{_FROM[name]}"), name)
