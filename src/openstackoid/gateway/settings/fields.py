"""Types of values in the gateway's configuration, and the sections that occur in several places of it."""

import os
import re
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo

from openstackoid.core.catalog import base_url
from openstackoid.core.scope import is_name

FOLDER: Final = "folder"  # of the configuration file, in the context of its validation
_SQLITE: Final = re.compile(r"sqlite:///(?!/)(.+)\Z")


def _name(text: str) -> str:
    if not is_name(text):
        raise ValueError("expected letters, digits, dots, - and _, 64 at most, a letter or digit first")
    return text


def _listen(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:  # noqa: PLR2004 - the number of ports
        raise ValueError("expected ADDRESS:PORT")
    return text


def _relative(path: Path, info: ValidationInfo) -> Path:
    return info.context[FOLDER] / path if info.context else path


def _existing(path: Path, info: ValidationInfo) -> Path:
    if info.context and not path.is_file():
        raise ValueError(f"no such file: {path}")
    return path


def _directory(path: Path, info: ValidationInfo) -> Path:
    if info.context and not os.access(path, os.W_OK | os.X_OK):
        raise ValueError(f"expected a directory that the gateway can write to: {path}")
    return path


def _database(url: str, info: ValidationInfo) -> str:
    folder = info.context[FOLDER] if info.context else None
    # sqlite:///file is relative to the configuration, as every path; sqlite:////file is absolute.
    return _SQLITE.sub(lambda value: f"sqlite:///{folder / value[1]}", url) if folder else url


Named = Annotated[str, AfterValidator(_name)]
Base = Annotated[str, AfterValidator(base_url)]
Listen = Annotated[str, AfterValidator(_listen)]
# Paths are relative to the configuration file.
RelativePath = Annotated[Path, AfterValidator(_relative)]
ExistingFile = Annotated[Path, AfterValidator(_relative), AfterValidator(_existing)]
WritableDirectory = Annotated[Path, AfterValidator(_relative), AfterValidator(_directory)]
DatabaseUrl = Annotated[str, AfterValidator(_database)]
Seconds = Annotated[float, Field(gt=0, le=86400)]


class Section(BaseModel):
    """A section: immutable, and unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Catalog(Section):
    """This cloud's Keystone, and the account to log in with."""

    auth_url: Base
    username: str
    password_file: ExistingFile
    user_domain_name: str = "Default"
    project_name: str
    project_domain_name: str = "Default"
    region: str | None = None
    interface: Literal["public", "internal", "admin"] = "internal"


class Tls(Section):
    """PEM files."""

    certificate: ExistingFile
    key: ExistingFile


def address_of(url: str, listen: str | None) -> str:
    """ADDRESS:PORT where to listen for a base URL: as given, or its own host and port."""
    if listen:
        return listen
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{host}:{parts.port or {'http': 80, 'https': 443}[parts.scheme]}"
