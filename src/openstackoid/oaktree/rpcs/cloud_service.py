"""`CloudService`: the health of the clouds, and access to a cloud's own API."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import grpc
import keystoneauth1.exceptions as keystone
from os_service_types import ServiceTypes

from oaktree.v1 import cloud_pb2, cloud_pb2_grpc
from oaktree.v1.location_pb2 import Location
from openstackoid.oaktree import errors, statuses
from openstackoid.oaktree.access.callers import Caller
from openstackoid.oaktree.chain.remote import RemoteOaktrees, elsewhere
from openstackoid.oaktree.locations import flaw
from openstackoid.oaktree.rpcs.context import RpcContext
from openstackoid.oaktree.upstream.breaker import State
from openstackoid.oaktree.upstream.calls import in_thread
from openstackoid.oaktree.upstream.entries import offered, usable
from openstackoid.oaktree.upstream.regions import Region
from openstackoid.oaktree.verbs import REST

Authenticate = Callable[[grpc.aio.ServicerContext[Any, Any]], Awaitable[Caller]]
# Gives the health of a cloud-region, by cloud and region.
States = Callable[[str, str], State]


@dataclass(frozen=True)
class RestInfo:
    """How to call a cloud's own API."""

    root_url: str
    headers: dict[str, str]
    expires_at: float | None  # seconds since the epoch


class CloudService(cloud_pb2_grpc.CloudServiceServicer):
    """The RPC handlers."""

    def __init__(
        self,
        authenticate: Authenticate,
        states: States,
        threads: ThreadPoolExecutor,
        oaktrees: RemoteOaktrees,
        *,
        timeout: float,
    ) -> None:
        """Keep the dependencies.

        Args:
            authenticate: authenticates the caller of a call's context.
            states: gives the health of a cloud-region.
            threads: the threads for blocking requests.
            oaktrees: other oaktrees.
            timeout: timeout for a cloud, in seconds.
        """
        self._authenticate: Final = authenticate
        self._states: Final = states
        self._threads: Final = threads
        self._oaktrees: Final = oaktrees
        self._timeout: Final = timeout

    async def ListClouds(self, request: cloud_pb2.ListCloudsRequest, context: Any) -> cloud_pb2.ListCloudsResponse:  # noqa: N802 - the rpc's name
        """List the cloud-regions that the caller may use, here and at other oaktrees that answer; sends no request to clouds."""
        async with RpcContext(context) as call:
            caller = await self._authenticate(context)
            _check(request.locations, "locations")
            clouds = [self._cloud(region) for region in caller.regions(request.locations)]
            remote_parts = caller.remote_parts(request.locations)
            answers = await asyncio.gather(
                *(self._oaktrees.clouds(remote_part, call.left()) for remote_part in remote_parts),
                return_exceptions=True,
            )
            for remote_part, answer in zip(remote_parts, answers, strict=True):
                if isinstance(answer, BaseException):
                    if elsewhere(remote_part, answer):
                        continue
                    lost = cloud_pb2.Cloud(location=Location(cloud=remote_part.site), available=False)
                    lost.last_error.CopyFrom(statuses.status(answer, cloud=remote_part.site))
                    clouds.append(lost)
                else:
                    clouds += answer
            clouds.sort(key=lambda cloud: (cloud.location.cloud, cloud.location.region))
            return cloud_pb2.ListCloudsResponse(clouds=clouds)

    async def GetRestInfo(self, request: cloud_pb2.GetRestInfoRequest, context: Any) -> cloud_pb2.GetRestInfoResponse:  # noqa: N802 - the rpc's name
        """Get the endpoint of one cloud's own API, with a token for it."""
        async with RpcContext(context) as call:
            caller = await self._authenticate(context)
            official = ServiceTypes().get_service_type(request.service) or request.service
            if not official or not official.replace("-", "").replace("_", "").isalnum() or len(official) > 64:  # noqa: PLR2004 - longer than all
                raise errors.invalid("service", "expected a service type, as compute or block-storage")
            caller.check(REST, f"{official.replace('-', '_')}.*")
            wanted = [request.location] if request.HasField("location") else []
            _check(wanted, "location")
            regions, remote_parts = caller.regions(wanted), caller.remote_parts(wanted)
            named = [remote_part for remote_part in remote_parts if remote_part.named]
            if regions and not named:
                remote_parts = []  # the location, for example a region's name, is known here: other oaktrees are not queried
            if len(regions) + len(remote_parts) != 1:
                places = ", ".join(
                    [
                        *("/".join(filter(None, place.key)) for place in regions),
                        *(remote_part.site for remote_part in remote_parts),
                    ]
                )
                raise errors.invalid("location", f"expected one cloud-region; it matches {places or 'none of yours'}")
            if remote_parts:
                return await self._oaktrees.rest_info(remote_parts[0], official, call.left())
            region = regions[0]
            here = call.to(*region.key, timeout=self._timeout)
            try:
                info = await in_thread(here, self._threads, rest_info, region, official)
            except Exception as error:
                raise region.located(error, official) from error
            answer = cloud_pb2.GetRestInfoResponse(
                root_url=info.root_url, headers=info.headers, location=region.location
            )
            if info.expires_at is not None:
                answer.expires_at.FromMilliseconds(int(info.expires_at * 1000))
            return answer

    def _cloud(self, region: Region) -> cloud_pb2.Cloud:
        if region.error is not None:
            lost = cloud_pb2.Cloud(location=region.location, available=False)
            lost.last_error.CopyFrom(statuses.status(region.error, cloud=region.location.cloud))
            return lost
        state = self._states(*region.key)
        cloud = cloud_pb2.Cloud(location=region.location, services=region.services(), available=state.available)
        if state.last_error is not None:
            cloud.last_error.CopyFrom(state.last_error)
        if state.retry_at is not None:
            cloud.retry_at.FromMilliseconds(int(state.retry_at * 1000))
        return cloud


def rest_info(region: Region, service: str) -> RestInfo:
    """Get the endpoint and headers for a service of a cloud-region. Blocks.

    Args:
        region: the cloud-region.
        service: the official service type, as "block-storage".

    Raises:
        errors.UnsupportedError: the cloud has no such service.
        Exception: the error of keystoneauth or openstacksdk, if the cloud did not answer.
    """
    made = region.connect()
    # openstacksdk's proxies know the API version to look for.
    with offered(made), usable(made):
        proxy: Any = getattr(made, service.replace("-", "_"), None)
    try:
        if hasattr(proxy, "get_endpoint"):
            url = proxy.get_endpoint()
        else:
            url = made.session.get_endpoint(
                service_type=service,
                interface=made.config.get_interface(service),
                region_name=region.location.region or None,
            )
    except (keystone.EndpointNotFound, keystone.CatalogException):
        url = None
    if not url:
        raise errors.UnsupportedError(f"{'/'.join(filter(None, region.key))} has no service {service} in its catalog")
    auth: Any = made.session.auth
    # The scope, for a peer behind a gateway: without it, the request would go to another cloud.
    headers = {**made.session.additional_headers, **(made.session.get_auth_headers() or {})}
    access = auth.get_access(made.session) if hasattr(auth, "get_access") else None
    return RestInfo(url, headers, access.expires.timestamp() if access is not None and access.expires else None)


def _check(locations: Sequence[Location], name: str) -> None:
    for index, location in enumerate(locations):
        if wrong := flaw(location):
            field, _, expected = wrong.partition(": ")
            raise errors.invalid(f"{name}[{index}].{field}" if name == "locations" else f"{name}.{field}", expected)
