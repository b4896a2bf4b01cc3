"""Reads the entries of a `clouds.yaml` independently: a wrong entry becomes a cloud that reports its error, and does not affect others.

openstacksdk reads all entries or none. Real files have strings in place of mappings, numbers as names, regions without a name, and profiles that do
not exist: whatever openstacksdk raises for an entry is kept as the error of that entry (CLOUD_CONFIG_INVALID), with openstacksdk's text.
"""

import contextlib
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Final

import keystoneauth1.exceptions as keystone
import openstack.exceptions as sdk
import requests
from grpc import StatusCode
from openstack import connection
from openstack.config import OpenStackConfig

from openstackoid.oaktree import errors, statuses
from openstackoid.oaktree.locations import NAME
from openstackoid.oaktree.masking import clean
from openstackoid.oaktree.plain import why

# Fields of `auth` that may be shown; every other field may be a secret, whatever its name.
_SHOWN: Final = re.compile(r".*(_url|_name|_id|domain|username|protocol|provider)$")
_LONGEST_NAME: Final = 255
_REGIONS_SHOWN: Final = 10
# Errors that openstacksdk and keystoneauth raise for a service that is not in the catalog.
_NOT_OFFERED: Final = (
    keystone.EndpointNotFound,
    sdk.EndpointNotFound,
    sdk.ServiceDisabledException,
    sdk.ServiceDiscoveryException,
)


class EntryError(errors.OaktreeError):
    """The entry of a cloud in the `clouds.yaml` cannot be used."""

    code: ClassVar[StatusCode] = StatusCode.FAILED_PRECONDITION
    reason: ClassVar[str] = "CLOUD_CONFIG_INVALID"


@dataclass(frozen=True)
class Entries:
    """The result of reading the entries.

    Attributes:
        regions: (cloud, region) of all usable entries; sorted.
        flaws: errors of the unusable entries, by name. A name that no request can have is given in a printable form.
    """

    regions: tuple[tuple[str, str], ...] = ()
    flaws: Mapping[str, EntryError] = field(default_factory=dict)


def read(config: OpenStackConfig) -> Entries:
    """Read all entries. Sends no request, except to the URL of a profile that is given as a URL."""
    regions: set[tuple[str, str]] = set()
    flaws: dict[str, EntryError] = {}
    for name, entry in config.cloud_config["clouds"].items():
        try:
            _check_name(name)
            with understood(entry):
                _check(entry)
                names = {(name, _region(region)) for region in config._get_regions(name)}  # noqa: SLF001 - get_all uses it
            regions |= names
        except EntryError as error:
            flaws[_shown(name)] = error
    for name, _ in regions:
        flaws.pop(name, None)  # its printable form is the name of another entry
    return Entries(tuple(sorted(regions)), flaws)


@contextlib.contextmanager
def understood(entry: Any) -> Iterator[None]:
    """Context of reading an entry: every exception becomes the entry's error.

    Raises:
        EntryError: with openstacksdk's text, without secrets.
    """
    try:
        with warnings.catch_warnings():
            # openstacksdk's deprecation warnings are no errors, and nobody who could fix the file would see them.
            warnings.simplefilter("ignore")
            yield
    except errors.OaktreeError:
        raise
    except Exception as error:
        raise EntryError(f"its entry in clouds.yaml cannot be used: {_explained(error, entry)}") from error


@contextlib.contextmanager
def usable(cloud: connection.Connection) -> Iterator[None]:
    """Context of the first use of a connection, in which keystoneauth and openstacksdk detect further errors in an entry.

    Raises:
        EntryError: an exception that is neither an answer of a cloud nor a failed connection.
    """
    try:
        yield
    except Exception as error:
        if statuses.known(error):
            raise
        raise EntryError(
            f"its entry in clouds.yaml cannot be used: {_explained(error, cloud.config.config)}"
        ) from error


@contextlib.contextmanager
def offered(cloud: connection.Connection) -> Iterator[None]:
    """Context of the search for a service: if the catalog has no service at all in the entry's region, the region is wrong.

    Raises:
        EntryError: the region is wrong; names the regions of the catalog.
    """
    try:
        yield
    except _NOT_OFFERED as error:
        wanted = cloud.config.region_name
        access = getattr(cloud.session.auth, "auth_ref", None)
        catalog = access.service_catalog.catalog if access is not None else ()
        regions = {
            str(endpoint.get("region_id") or endpoint.get("region"))
            for service in catalog
            for endpoint in service.get("endpoints", ())
            if endpoint.get("region_id") or endpoint.get("region")
        }
        if not wanted or not regions or wanted in regions:
            raise
        there = ", ".join(sorted(regions)[:_REGIONS_SHOWN])
        raise EntryError(f"region_name: the cloud has no region {wanted!r}; it has {there}") from error


def files(config: Mapping[str, Any]) -> None:
    """Check the files that an entry names: requests would raise only at the first request, with an unspecific error.

    Raises:
        EntryError: a file does not exist, or cannot be read.
    """
    for name in ("cacert", "cert", "key"):
        value = config.get(name)
        if name == "cacert" and (config.get("insecure") or config.get("verify") is False):
            continue
        if not value:
            continue
        if not isinstance(value, str):
            raise EntryError(f"{name}: expected the path of a file, got {type(value).__name__}")
        path = Path(value).expanduser()
        try:
            if not path.is_dir():
                path.open("rb").close()
        except OSError as error:
            raise EntryError(f"{name}: {path}: {error.strerror}") from None
        if path.is_dir() and name != "cacert":
            raise EntryError(f"{name}: {path} is a folder, expected a file")


def _check_name(name: Any) -> None:
    if not isinstance(name, str):
        raise EntryError(f"its name is {type(name).__name__} {name!r} for YAML: write it in quotes")
    if not NAME.fullmatch(name):
        raise EntryError(
            "no request could have its name: expected 1 to 255 characters that can be seen, and no space or / at an end"
        )


def _check(entry: Any) -> None:
    """Check values that openstacksdk misreads, or passes on until they fail elsewhere."""
    if not isinstance(entry, Mapping):
        raise EntryError(f"expected a mapping, got {_kind(entry)}")
    for name in entry:
        if not isinstance(name, str):
            raise EntryError(f"expected names of settings, got {_kind(name)} {clean(name, 80)}")
    if "auth" in entry and not isinstance(entry["auth"], Mapping):
        raise EntryError(f"auth: expected a mapping, got {_kind(entry['auth'])}")
    for name in ("profile", "cloud", "auth_type"):
        if name in entry and not isinstance(entry[name], str | None):
            raise EntryError(f"{name}: expected text, got {_kind(entry[name])}")
    if "regions" in entry:
        _check_regions("regions", entry["regions"])
    if "region_name" in entry and not isinstance(entry["region_name"], str):
        if not isinstance(entry["region_name"], list):
            raise EntryError(f"region_name: expected text, got {_kind(entry['region_name'])}")
        _check_regions("region_name", entry["region_name"])


def _check_regions(name: str, regions: Any) -> None:
    if not isinstance(regions, list):
        raise EntryError(f"{name}: expected a list of regions, got {_kind(regions)}")
    for region in regions:
        values = region.get("values", {}) if isinstance(region, Mapping) else {}
        region_name = region.get("name") if isinstance(region, Mapping) else region
        if not isinstance(region_name, str) or not region_name:
            raise EntryError(f"{name}: expected a name of each region as text, got {_kind(region_name)}")
        if not isinstance(values, Mapping):
            raise EntryError(f"{name}: {region_name}: values: expected a mapping, got {_kind(values)}")


def _region(region: Mapping[str, Any]) -> str:
    name = region["name"]
    if not isinstance(name, str | None):
        raise EntryError(f"expected the name of a region as text, got {_kind(name)}")
    if name and not NAME.fullmatch(name):
        raise EntryError(f"no request could have the name of its region, {clean(name, 80)!r}")
    return name or ""


def _kind(value: Any) -> str:
    names = {str: "text", list: "a list", dict: "a mapping", type(None): "nothing", bool: "true or false"}
    return names.get(type(value), "a number" if isinstance(value, int | float) else type(value).__name__)


def _shown(name: Any) -> str:
    shown = clean(name if isinstance(name, str) else str(name), _LONGEST_NAME).strip(" /")
    return shown if NAME.fullmatch(shown) else repr(shown)


def _explained(error: Exception, entry: Any) -> str:
    """The error's text, without values of the entry that may be secrets."""
    known = isinstance(error, sdk.SDKException | keystone.ClientException | requests.RequestException | OSError)
    text = str(error) if known else f"{type(error).__name__}: {error}"
    if isinstance(error, requests.RequestException):
        text = f"its profile's address {getattr(error.request, 'url', '')} gives none: {why(error) or type(error).__name__}"
    if isinstance(error, keystone.MissingRequiredOptions):
        text = f"{text} (in auth)"
    for secret in sorted(_secrets(entry), key=len, reverse=True):
        text = text.replace(secret, "***")
    return clean(text or type(error).__name__)


def _secrets(entry: Any) -> set[str]:
    auth = entry.get("auth") if isinstance(entry, Mapping) else None
    values = auth.items() if isinstance(auth, Mapping) else ()
    return {str(value) for name, value in values if value not in (None, "") and not _SHOWN.fullmatch(str(name))}
