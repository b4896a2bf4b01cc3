"""Credentials in the metadata of a call, one or more, each for one cloud.

    x-oaktree-token: CLOUD TOKEN
    x-oaktree-application-credential: CLOUD ID SECRET

Words are separated by one space, and percent-encoded where they hold spaces, commas, or other than printable ASCII. Several values of one name may come
joined by commas, as gRPC allows and clients of the Fetch API do. Values are secret: this module never logs or shows them.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final
from urllib.parse import quote, unquote

from grpc import StatusCode

from openstackoid.oaktree import errors
from openstackoid.oaktree.locations import NAME

TOKEN: Final = "x-oaktree-token"  # noqa: S105 - a header's name
APPLICATION_CREDENTIAL: Final = "x-oaktree-application-credential"

# Maximum number in one call; the server limits the size of all metadata.
_MOST: Final = 256
# Fernet and JWS tokens, ids of application credentials: they become headers, and parts of documents.
_TOKEN: Final = re.compile(r"[A-Za-z0-9_.=~+/-]{1,8192}")
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SECRET: Final = re.compile(r"[^\x00-\x1f\x7f]{1,255}")
# A key of this process for digests of secrets: a digest does not reveal the secret, and is useless in another process.
_KEY: Final = secrets.token_bytes(32)


class UnauthenticatedError(errors.OaktreeError):
    """A caller without credentials, or with invalid ones.

    Attributes:
        cloud: the cloud that refused the credentials, if any.
    """

    code: ClassVar[StatusCode] = StatusCode.UNAUTHENTICATED
    reason: ClassVar[str] = "CALLER_UNAUTHENTICATED"

    def __init__(self, message: str, *, cloud: str = "", retry_after: float | None = None) -> None:
        """Keep the cloud that refused the credentials."""
        self.cloud = cloud
        super().__init__(message, retry_after=retry_after)


@dataclass(frozen=True)
class Credential:
    """A token, or an application credential, for one cloud."""

    cloud: str
    secret: str = field(repr=False)
    id: str = ""  # the application credential's; empty for a token

    @property
    def digest(self) -> str:
        """A digest that identifies the credential in this process."""
        text = f"{self.cloud}\0{self.id}\0{self.secret}".encode()
        return hmac.new(_KEY, text, hashlib.sha256).hexdigest()

    def header(self, cloud: str) -> tuple[str, str]:
        """The metadata that carries the credential to a server with this name for the cloud."""
        words = (cloud, self.id, self.secret) if self.id else (cloud, self.secret)
        return APPLICATION_CREDENTIAL if self.id else TOKEN, " ".join(quote(word, safe="/=+:@") for word in words)


def parse(metadata: Iterable[tuple[str, Any]]) -> list[Credential]:
    """All credentials in the metadata of a call; sorted by clouds.

    Raises:
        errors.InvalidError: a malformed value, or two values for one cloud. The message does not contain the value.
    """
    credentials: dict[str, Credential] = {}
    for name, value in _separated(metadata):
        if name == TOKEN:
            words = _words(name, value, "CLOUD TOKEN")
            credential = Credential(words[0], words[1])
            good = _TOKEN.fullmatch(credential.secret)
        elif name == APPLICATION_CREDENTIAL:
            words = _words(name, value, "CLOUD ID SECRET")
            credential = Credential(words[0], words[2], words[1])
            good = _ID.fullmatch(credential.id) and _SECRET.fullmatch(credential.secret)
        else:
            continue
        if not good or not NAME.fullmatch(credential.cloud):
            raise errors.invalid(f"metadata.{name}", "a word of it has characters that it cannot have, or is too long")
        if credential.cloud in credentials:
            raise errors.invalid(
                f"metadata.{name}", f"expected one credential for a cloud, got several for {credential.cloud}"
            )
        credentials[credential.cloud] = credential
        if len(credentials) > _MOST:
            raise errors.invalid(f"metadata.{name}", f"expected credentials for at most {_MOST} clouds")
    return [credentials[cloud] for cloud in sorted(credentials)]


def _separated(metadata: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    for name, value in metadata:
        if name in (TOKEN, APPLICATION_CREDENTIAL) and isinstance(value, str):
            yield from ((name, part.strip(" ")) for part in value.split(","))
        else:
            yield name, value


def _words(name: str, value: Any, form: str) -> list[str]:
    words = value.split(" ") if isinstance(value, str) else []
    if len(words) != len(form.split()):
        raise errors.invalid(
            f"metadata.{name}", f"expected {form}: words with one space between, percent-encoded where needed"
        )
    try:
        return [unquote(word, errors="strict") for word in words]
    except UnicodeDecodeError:
        raise errors.invalid(f"metadata.{name}", "expected percent-encoded words in UTF-8") from None
