"""Contracts of a provider that sets up and cleans up by itself, each about a domain of its own, between control planes that they share."""

from dataclasses import dataclass
from typing import Any

from tests.regions.cloud import Cloud
from tests.regions.planes import Plane, in_state, offered, terms, until

from openstackoid.trust import tokens
from openstackoid.trust.projects import project_name


@dataclass
class Deal:
    """A contract about a domain of its own.

    Attributes:
        provider, consumer: the control planes, which all deals share.
        domain: id.
        contract: id.
    """

    provider: Plane
    consumer: Plane
    domain: str
    contract: str = ""

    @property
    def cloud(self) -> Cloud:
        return self.provider.door.cloud

    @property
    def party(self) -> str:
        return f"contract:{self.contract}"

    async def accepted(self, **changed: Any) -> None:
        """Let the provider accept it; its operators do nothing more."""
        region = await offered(self.provider, name=f"r-{self.domain[:8]}", domain_id=self.domain)
        document = terms(region, **{"from": "2020-01-01T00:00:00Z", "grace_days": 0} | changed)
        asked = {"provider": "CloudP", "terms": document}
        status, made = await self.consumer.call("POST", "/v1/contracts", asked)
        assert status == 201, made
        self.contract = made["id"]
        await in_state(self.provider, self.contract, "requested")
        await self.event("accept")

    async def active(self, **changed: Any) -> None:
        await self.accepted(**changed)
        await in_state(self.consumer, self.contract, "active")

    async def event(self, name: str) -> None:
        await event(self.provider, self.contract, name)

    async def shown(self) -> dict[str, Any]:
        return await shown(self.provider, self.contract)

    async def bind(self) -> None:
        """Bind a region to it."""
        asked = {"region": f"V-{self.contract[:8]}", "contract": self.contract}
        status, answer = await self.consumer.call("POST", "/v1/bindings", asked)
        assert status == 201, answer

    def sub_project(self, foreign: str | None = None) -> str:
        """A sub-project as gateways make it, with one of everything; if none is named, of a project that its home has: others are removed in time."""
        foreign = foreign or tokens.project_pseudonym("p" * 32, self.party, self.consumer.keys)
        mappings = self.provider.mappings
        mappings.reserve(self.party, foreign, "h" * 32, 10)
        local = self.cloud.add_project(self.domain, project_name("CloudA", self.contract, foreign))
        mappings.bind(self.party, foreign, "h" * 32, local)
        self.cloud.fill(local)
        return local

    def projects(self) -> set[str]:
        return {row["id"] for row in self.cloud.projects.values() if row["domain_id"] == self.domain}

    async def cleaned(self) -> dict[str, Any]:
        async def done() -> Any:
            clean_up = (await self.shown())["clean_up"]
            return clean_up if clean_up and clean_up["done"] and clean_up["ended"] else None

        document: dict[str, Any] = await until(done)
        return document


async def event(plane: Plane, contract: str, name: str) -> None:
    status, after = await plane.call("POST", f"/v1/contracts/{contract}/events", {"event": name})
    assert status == 200, after


async def shown(plane: Plane, contract: str) -> dict[str, Any]:
    status, document = await plane.call("GET", f"/v1/contracts/{contract}")
    assert status == 200, document
    return dict(document)
