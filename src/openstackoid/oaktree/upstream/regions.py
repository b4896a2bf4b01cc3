"""A cloud-region as one caller sees it: who asks there, and how to connect."""

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
    identity: str  # who asks there: opaque, the same for the same user, project, rights and cloud-region
    connect: Callable[[], connection.Connection] = field(repr=False)
    made: Callable[[], connection.Connection | None] = field(repr=False, default=lambda: None)
    offered: tuple[str, ...] | None = None  # a peer's service types, which the catalog of its home does not tell
    error: Exception | None = None  # why nothing can be asked there
    bearer: str = ""  # opaque: of callers with one identity, those with the same credential

    @property
    def key(self) -> tuple[str, str]:
        """Cloud and region."""
        return self.location.cloud, self.location.region

    def located(self, error: BaseException, service: str) -> BaseException:
        """An error of a service there, with the place for whoever asked several."""
        if isinstance(error, errors.LocatedError | asyncio.CancelledError):
            return error
        cloud, region = self.key
        return errors.LocatedError(error, cloud=cloud, region=region, service=service, as_server=not self.bearer)

    def place(self) -> Location:
        """The location with the project that is asked; authenticates if nobody did. Blocks."""
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
        """Service types in the cloud's catalog; empty as long as nobody has asked the cloud. Does not block."""
        if self.offered is not None:
            return list(self.offered)
        made = self.made()
        access = getattr(made.session.auth, "auth_ref", None) if made is not None else None
        return sorted({each["type"] for each in access.service_catalog.catalog}) if access is not None else []


def unusable(here: Location, error: errors.OaktreeError) -> Region:
    """One that nothing can be asked of."""

    def refuse() -> Any:
        raise error.with_traceback(None)

    return Region(here, f"unusable {here.cloud}", refuse, error=error)


def scope_of(wanted: Location) -> dict[str, str]:
    """A request's project, in keystoneauth's names; what the file says of it is replaced as a whole."""
    if not (wanted.project_id or wanted.project):
        return {}
    return {
        "project_id": wanted.project_id,
        "project_name": "" if wanted.project_id else wanted.project,
        **({"project_domain_id": wanted.domain_id} if wanted.domain_id else {}),
        **({"project_domain_name": wanted.domain} if wanted.domain else {}),
    }
