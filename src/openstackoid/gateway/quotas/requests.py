"""Quota of a request: what it takes is measured, admitted and held until its answer; what it shows is what the region has left."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from typing import Final

from openstackoid.core import limits, region_quota
from openstackoid.core.errors import BodyError, OpenStackoidError, RegionQuotaError, UnmeasuredRequestError
from openstackoid.core.region_quota import QUOTAS, Allowance, Need, UnmeasuredError
from openstackoid.gateway.entry.calls import Call
from openstackoid.gateway.quotas.admission import Account, Admission
from openstackoid.gateway.quotas.services import ServiceQuotas
from openstackoid.gateway.upstream.bodies import read_body
from openstackoid.trust.agreements import Agreement
from openstackoid.trust.quota_leases import HOLD

_CHANGES: Final = frozenset({"POST", "PUT", "PATCH"})
_KEEP: Final = 60.0  # seconds for which a flavor's size is remembered
_MOST: Final = 1024  # flavors
_RENEW: Final = HOLD / 4  # seconds between two renewals of what an upload holds
_STEP: Final = 256 << 20  # bytes that an upload of unknown length takes at a time
_FAILED, _SERVERS = 400, 500
_BY_QUOTA: Final = frozenset({403, 409, 413})  # nova, neutron, cinder


class Quotas:
    """The quotas of all contracts about regions of this cloud.

    Args:
        admission: admits what they leave.
        services: measure what requests only name.
    """

    def __init__(self, admission: Admission, services: ServiceQuotas) -> None:
        self._admission = admission
        self._services = services
        self._flavors: dict[str, tuple[float, tuple[int, int]]] = {}

    async def allowance(self, agreement: Agreement, project: str, call: Call, path: str) -> Allowance | None:
        """The limits to show in the answer; None if it shows none, or none of them is agreed.

        Raises:
            QuotaUnavailableError: a service does not count.
        """
        if not agreement.quota or not region_quota.shows(call.service, call.method, path):
            return None
        account = Account.of(agreement.id, agreement.quota, project, call.service)
        if not account.quota:
            return None
        return Allowance(tuple((await self._admission.limits(account)).items()))

    async def admit(
        self,
        agreement: Agreement,
        project: str,
        call: Call,
        path: str,
        token: str,
        body: bytes | None = None,
    ) -> "tuple[Taken | None, bytes | None]":
        """Admit a request of a project under a contract.

        Args:
            agreement: the contract's.
            project: ours.
            call: the request.
            path: inside the service, with local ids.
            token: of the user, as our services get it.
            body: of the request, if it was read before.

        Returns:
            What the request holds, and its body if it was read.

        Raises:
            RegionQuotaError: the region has not enough left.
            OutsideRegionError: the request names what is not in the region.
            UnmeasuredRequestError: nobody can say what it takes.
            QuotaUnavailableError: a service does not count or enforce.
            BodyError: the document is too large.
        """
        service = call.service
        if call.method not in _CHANGES or not any(QUOTAS[name] == service for name in agreement.quota):
            return None, body
        account = Account.of(agreement.id, agreement.quota, project, service)
        await self._admission.ready(account)
        if not region_quota.may_take(service, call.method, path):
            return None, body
        if region_quota.is_upload(service, call.method, path):
            length = call.request.content_length
            first = await self._admission.take(account, {"image_bytes": length}) if length else None
            return Taken(self._admission, account, [first] if first else [], metered=length is None), None
        body = await read_body(call.request, limits.REQUEST.size) if body is None else body
        if body is None:
            raise BodyError(f"Expected a JSON document of {limits.size(limits.REQUEST.size)} at most.")
        try:
            limits.check(body, limits.REQUEST)
            # As the services read it: what is counted is what they find.
            document = agreement.resources.request(service, json.loads(body))
            needed = region_quota.need(service, path, document)
        except UnmeasuredError as error:
            raise UnmeasuredRequestError(f"The region has a quota: {error}.") from None
        except limits.LimitError as error:
            raise BodyError(f"The JSON of the request is too large: {error}.") from None
        except (ValueError, RecursionError):
            return None, body  # the service reports the error
        amounts = await self._amounts(needed, account, token) if needed else {}
        if not amounts:
            return None, body
        return Taken(self._admission, account, [await self._admission.take(account, amounts)]), body

    async def _amounts(self, needed: Need, account: Account, token: str) -> dict[str, int]:
        amounts = dict(needed.amounts)
        if needed.flavor is not None and {"cores", "ram"} & account.quota.keys():
            size = await self._flavor(needed.flavor, token) or (0, 0)
            if needed.server is not None:
                before = await self._services.server(needed.server, token) or (0, 0)
                size = (max(0, size[0] - before[0]), max(0, size[1] - before[1]))
            amounts |= {"cores": size[0] * needed.count, "ram": size[1] * needed.count}
        if needed.volume is not None:
            size_of = await self._services.volume(needed.volume, account.project, token) or 0
            amounts["gigabytes"] = max(0, amounts.get("gigabytes", 0) - size_of) if needed.extends else size_of
        return {name: amount for name, amount in amounts.items() if amount > 0 and name in account.quota}

    async def _flavor(self, identity: str, token: str) -> tuple[int, int] | None:
        now = time.monotonic()
        at, size = self._flavors.get(identity, (0.0, None))
        if size is None or now - at > _KEEP:
            size = await self._services.flavor(identity, token)
            if size is not None:
                while len(self._flavors) >= _MOST:
                    del self._flavors[next(iter(self._flavors))]
                self._flavors[identity] = (now, size)
        return size


class Taken:
    """What one request holds (`upstream.legs.Hold`).

    Args:
        admission: that admitted it.
        account: whose quota it is.
        held: ids of what it holds.
        metered: whether its body has no length, and takes as its bytes come.
    """

    def __init__(self, admission: Admission, account: Account, held: list[str], *, metered: bool = False) -> None:
        self._admission = admission
        self._account = account
        self._held = held
        self._metered = metered
        self.refusal: RegionQuotaError | None = None
        self._keeping: asyncio.Task[None] | None = None

    async def sent(self, status: int | None, *, received: bool = True) -> None:
        """The head of the answer came, or none.

        Args:
            status: of the answer; None if none came.
            received: false if the request certainly was not received.
        """
        if self._keeping is not None:
            self._keeping.cancel()
        if status is None and received and self.refusal is None:
            return  # nobody knows what was done: it goes by its time
        refused = not received or (status is not None and _FAILED <= status < _SERVERS)
        for held in self._held:
            await self._admission.finish(held, refused=refused)
        if status in _BY_QUOTA:
            await self._admission.doubt(self._account)

    async def meter(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The pieces of a body, as long as there is room for them.

        A body may take longer than a killed process is waited for, and glance counts an image when it is whole: what it holds is kept until the answer.
        """
        self._keeping = asyncio.create_task(self._keep())
        room = 0
        async for piece in pieces:
            while self._metered and len(piece) > room:
                room += await self._more(len(piece) - room)
            room -= len(piece)
            yield piece

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(_RENEW)
            with contextlib.suppress(OpenStackoidError):  # the next time
                await self._admission.renew(self._held)

    async def _more(self, least: int) -> int:
        for step in (max(_STEP, least), least):
            try:
                self._held.append(await self._admission.take(self._account, {"image_bytes": step}))
            except RegionQuotaError as error:
                self.refusal = error
            else:
                self.refusal = None
                return step
        raise self.refusal or AssertionError
