"""Finds the oaktree that has the resource of a request: this one or another. All are queried in parallel."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from oaktree.v1.location_pb2 import Location
from openstackoid.oaktree import errors, statuses
from openstackoid.oaktree.access.callers import RemotePart
from openstackoid.oaktree.access.requests import Request
from openstackoid.oaktree.chain.passing import addressed, getting, here
from openstackoid.oaktree.chain.remote import RemoteOaktrees, elsewhere, parts
from openstackoid.oaktree.resources.deciding import outcomes, unique
from openstackoid.oaktree.resources.methods import Method, methods
from openstackoid.oaktree.verbs import GET


class Finder:
    """Looks one resource up here and at other oaktrees."""

    def __init__(self, verbs: Any, oaktrees: RemoteOaktrees) -> None:
        """Keep the verbs of this oaktree, and the clients of the others."""
        self._verbs: Final = verbs
        self._oaktrees: Final = oaktrees
        self._getters: Final[Mapping[str, Method]] = {
            f"{method.service}/{method.kind}": method for method in methods() if method.verb is GET
        }

    async def find(self, request: Request, method: Method, message: Callable[[RemotePart], Any]) -> Any:
        """Get the resource from the only oaktree that has it.

        Args:
            request: a request to get the resource.
            method: the RPC of the request.
            message: the request's message for another oaktree.

        Raises:
            errors.MissingError: no oaktree has it.
            errors.AmbiguousError: several oaktrees have it.
            Exception: the error of an oaktree that did not answer, if no other has the resource.
        """
        remote = parts(request.remote_parts)
        path = f"/{method.service}/{method.name}"
        left = request.call.left()
        questions = [self._oaktrees.one(path, message(part), method.response, part, left) for part in remote]
        if request.regions:
            questions.append(self._verbs.get(here(request)))
        wanted = request.message.id
        only = unique(request.kind, wanted)
        answers = await outcomes(questions, lambda answer: only and getattr(answer, method.field).id == wanted)
        owners = [answer for answer in answers if answer is not None and not isinstance(answer, BaseException)]
        if len(owners) > 1:
            places = ", ".join(sorted(_place(getattr(answer, method.field).location) for answer in owners))
            raise errors.AmbiguousError(
                f"{request.kind.name} {wanted!r} is in {places}: give a location with one of them."
            )
        if owners:
            return owners[0]
        for answer, part in zip(answers, [*remote, None], strict=False):
            missing = isinstance(answer, BaseException) and statuses.reason(statuses.status(answer)) == "NOT_FOUND"
            if isinstance(answer, BaseException) and not missing and not (part and elsewhere(part, answer)):
                raise answer
        clouds = {region.location.cloud for region in request.regions} | {part.site for part in remote}
        raise errors.MissingError(
            f"{request.kind.name} {wanted!r} is not in {', '.join(sorted(clouds))}, by id or by name."
        )

    async def narrowed(self, request: Request) -> Request:
        """Restrict a request to the oaktree that has the resource.

        Raises:
            errors.MissingError: no oaktree has it.
            errors.AmbiguousError: several oaktrees have it, or the kind has no RPC to look it up.
        """
        remote = parts(request.remote_parts)
        if not remote or (len(remote) == 1 and not request.regions):
            return replace(request, remote_parts=tuple(remote))
        getter = self._getters.get(f"{request.method.service}/{request.method.kind}")
        if getter is None or not GET.serves(request.kind.name, request.kind.verbs):
            raise errors.AmbiguousError(
                f"{request.kind.name} may be in several oaktrees: give a location with a cloud."
            )
        message = getting(getter, request)
        answer = await self.find(
            replace(request, method=getter, message=message), getter, functools.partial(addressed, message)
        )
        place: Location = getattr(answer, getter.field).location
        for part in remote:
            if place.cloud.startswith(f"{part.site}/"):
                exact = Location(cloud=place.cloud.removeprefix(f"{part.site}/"), region=place.region)
                return replace(request, regions=[], remote_parts=(replace(part, locations=(exact,), named=True),))
        regions = [region for region in request.regions if region.key == (place.cloud, place.region)]
        return replace(request, regions=regions, remote_parts=())


def _place(location: Location) -> str:
    return "/".join(filter(None, (location.cloud, location.region)))
