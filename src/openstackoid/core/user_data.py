"""Bodies that are users' own bytes: data of images, payloads of secrets, objects. They pass as they are, whatever they look like. Pure."""

import re
from typing import Final

OBJECTS: Final = "object-store"
# "SERVICE METHOD PATH". Glance takes the data of an image at two paths, barbican a secret's payload where it shows the secret.
_UPLOADS: Final = re.compile(
    r"image PUT /v[12]/images/[^/]+/(?:file|stage)\Z|key-manager PUT /v1/secrets/[^/]+/?\Z|object-store "
)
_DOWNLOADS: Final = re.compile(r"image /v[12]/images/[^/]+/file\Z|key-manager /v1/secrets/[^/]+/payload\Z")


def is_upload(service: str, method: str, path: str) -> bool:
    """Whether the body of a request is a user's own data.

    Args:
        service: official service type.
        method: HTTP method.
        path: inside the service, without a query.
    """
    return _UPLOADS.match(f"{service} {method} {path}") is not None


def is_download(service: str, path: str) -> bool:
    """Whether the body of a successful answer is a user's own data; objects are not counted here, since their listings are documents.

    Args:
        service: official service type.
        path: inside the service, without a query.
    """
    return _DOWNLOADS.match(f"{service} {path}") is not None
