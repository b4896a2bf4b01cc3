"""A cloud-region as one caller sees it: the caller's identity there, and how to connect."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from openstack import connection

from oaktree.v1.location_pb2 import Location
from openstackoid.oaktree import errors
from openstackoid.oaktree.upstream.entries import usable


@dataclass(frozen=True)
class Region:
    """A cloud-region as one caller sees it."""

    location: Location  # cloud and region
    identity: str  # the caller there: opaque, equal for the same user, project, rights and cloud-region
    connect: Callable[[], connection.Connection] = field(repr=False)
    made: Callable[[], connection.Connection | None] = field(repr=False, default=lambda: None)
    offered: tuple[str, ...] | None = None  # a peer's service types, which are not in the catalog of its home
    error: Exception | None = None  # the error that every request to it raises
    bearer: str = ""  # opaque: differs for callers of one identity with different credentials

    @property
    def key(self) -> tuple[str, str]:
        """Cloud and region."""
        return self.location.cloud, self.location.region

    def located(self, error: BaseException, service: str) -> BaseException:
        """Wrap an error of a service of the cloud-region with its location, for calls to several."""
        if isinstance(error, errors.LocatedError | asyncio.CancelledError):
            return error
        cloud, region = self.key
        return errors.LocatedError(error, cloud=cloud, region=region, service=service, as_server=not self.bearer)

    def place(self) -> Location:
        """The location, with the project of the credentials. Authenticates if there is no token yet. Blocks."""
        place = Location()
        place.CopyFrom(self.location)
        cloud: Any = self.connect()
        with usable(cloud):
            access = cloud.session.access()
        if access is not None:
            place.project_id = access.project_id or ""
            place.project = access.project_name or ""
            place.domain_id = access.project_domain_id or access.domain_id or ""
            place.domain = access.project_domain_name or access.domain_name or ""
        return place

    def services(self) -> list[str]:
        """Service types in the cloud's catalog; empty before the first request to the cloud. Does not block."""
        if self.offered is not None:
            return list(self.offered)
        made = self.made()
        access = getattr(made.session.auth, "auth_ref", None) if made is not None else None
        return sorted({service["type"] for service in access.service_catalog.catalog}) if access is not None else []


def unusable(here: Location, error: errors.OaktreeError) -> Region:
    """A cloud-region to which every request raises the error."""

    def refuse() -> Any:
        raise error.with_traceback(None)

    return Region(here, f"unusable {here.cloud}", refuse, error=error)


def scope_of(wanted: Location) -> dict[str, str]:
    """The project of a request, by keystoneauth's parameter names; replaces all project settings of the file."""
    if not (wanted.project_id or wanted.project):
        return {}
    return {
        "project_id": wanted.project_id,
        "project_name": "" if wanted.project_id else wanted.project,
        **({"project_domain_id": wanted.domain_id} if wanted.domain_id else {}),
        **({"project_domain_name": wanted.domain} if wanted.domain else {}),
    }
