"""Forms that values of the gateway's configuration have, and the sections that stand in several places of it."""

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from openstackoid.core.catalog import base_url
from openstackoid.core.scope import is_name


def _name(text: str) -> str:
    if not is_name(text):
        raise ValueError("expected letters, digits, dots, - and _, 64 at most, a letter or digit first")
    return text


def _listen(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:  # noqa: PLR2004 - the number of ports
        raise ValueError("expected ADDRESS:PORT")
    return text


Named = Annotated[str, AfterValidator(_name)]
Base = Annotated[str, AfterValidator(base_url)]
Listen = Annotated[str, AfterValidator(_listen)]
Seconds = Annotated[float, Field(gt=0, le=86400)]


class Section(BaseModel):
    """Some keys that belong together: no others are taken, and none changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Catalog(Section):
    """This cloud's Keystone, and as whom to ask it."""

    auth_url: Base
    username: str
    password_file: Path
    user_domain_name: str = "Default"
    project_name: str
    project_domain_name: str = "Default"
    region: str | None = None
    interface: Literal["public", "internal", "admin"] = "internal"


class Tls(Section):
    """PEM files."""

    certificate: Path
    key: Path


def address_of(url: str, listen: str | None) -> str:
    """ADDRESS:PORT where to listen for a base URL: as given, or its own host and port."""
    if listen:
        return listen
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{host}:{parts.port or {'http': 80, 'https': 443}[parts.scheme]}"
