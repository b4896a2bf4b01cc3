"""Sections of the configuration that are of the gateway itself: its services, HAProxy in front, times."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from openstackoid.core.catalog import PROJECT, base_url
from openstackoid.gateway.settings.fields import Base, Listen, RelativePath, Seconds, Section, address_of


def _endpoint(text: str) -> str:
    base_url(text.replace(PROJECT, "0"))
    return text


class Service(Section):
    """One service of this cloud."""

    frontend: Base
    backend: Base | None = None
    endpoint: Annotated[str, AfterValidator(_endpoint)] | None = None
    listen: Listen | None = None

    @property
    def address(self) -> str:
        """ADDRESS:PORT where the gateway listens for it."""
        return address_of(self.frontend, self.listen)


class Haproxy(Section):
    """HAProxy in front: it takes the frontends, and the gateway listens behind it.

    Attributes:
        gateway: host where the gateway listens then, at the frontends' ports, without TLS; nobody else may reach it.
        directory: where HAProxy's configuration and maps are written, and its admin socket is.
        threads: of HAProxy; one a core if not given.
        log: where HAProxy logs what goes straight, one line of audit a request: stdout, /dev/log, ADDRESS:PORT, or none.
    """

    gateway: str
    directory: RelativePath = Field(default=Path("haproxy"), validate_default=True)
    threads: Annotated[int, Field(ge=1, le=64)] | None = None
    log: Annotated[str, Field(pattern=r"^[A-Za-z0-9/.:_@-]{1,200}$")] = "stdout"


class Admin(Section):
    """Where health and metrics are, for operators alone."""

    listen: Listen


class Timeouts(Section):
    """Seconds: to connect; without a byte; between two looks at a peer; for what runs when the gateway stops."""

    connect: Seconds = 5
    idle: Seconds = 60
    refresh: Seconds = 30
    grace: Seconds = 30


class Fanout(Section):
    """Requests to several clouds.

    Attributes:
        timeout: seconds until a cloud that has not answered is missed; a client may ask for fewer.
        clouds: that one request may ask.
        at_once: clouds that one request asks at a time.
    """

    timeout: Seconds = 10
    clouds: Annotated[int, Field(ge=1, le=10_000)] = 1024
    at_once: Annotated[int, Field(ge=1, le=10_000)] = 128
