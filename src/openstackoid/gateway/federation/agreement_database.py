"""Reads the agreements, and the contracts about virtual regions, from the database; again when its revision has changed."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from openstackoid.core.id_forms import like_domain
from openstackoid.gateway.settings.peering import is_safe
from openstackoid.trust.agreements import Agreement
from openstackoid.trust.contracts import ContractGrant
from openstackoid.trust.store import Store, StoreError, Version


@dataclass(frozen=True, slots=True)
class Change:
    """The changes since the last read.

    Attributes:
        agreements: peer -> our side of the agreement; all agreements as they are now.
        contracts: id -> contract about a virtual region; all that are in use now.
        documents: peer -> the stored document with the keys that it published.
        changed: peers whose agreement, or a contract with whom, is new, replaced or removed.
        removed: those whose agreement is removed.
        first: whether this is the first read.
        replaced: whether another database has taken the place of the one that was read before.
    """

    agreements: Mapping[str, Agreement]
    contracts: Mapping[str, ContractGrant]
    documents: Mapping[str, Any]
    changed: Collection[str]
    removed: Collection[str]
    first: bool
    replaced: bool


class AgreementDatabase:
    """Reads the agreements.

    Args:
        cloud: this cloud's name.
        store: the database.
        others: peers of the configuration, whose keys are remembered in the database too.
    """

    def __init__(self, cloud: str, store: Store, others: Collection[str]) -> None:
        self._cloud = cloud
        self._store = store
        self._others = frozenset(others)
        self._version: Version | None = None
        self._agreements: Mapping[str, Agreement] = {}
        self._contracts: Mapping[str, ContractGrant] = {}

    async def look(self) -> Change | None:
        """The changes since the last read; None if nothing has changed.

        Raises:
            OpenStackoidError: the database cannot be read.
        """
        last, version = self._version, await asyncio.to_thread(self._store.version)
        if version == last:
            return None
        replaced = last is not None and not version.follows(last)
        if replaced:  # the new database may be one that an older version made
            await asyncio.to_thread(self._store.upgrade, create=False)
        agreements, contracts, documents = await asyncio.to_thread(self._read)
        before, old = self._agreements, self._contracts
        changed = {name for name in agreements.keys() | before.keys() if agreements.get(name) != before.get(name)}
        for identity in contracts.keys() | old.keys():
            after = contracts.get(identity)
            if after != old.get(identity):
                changed |= {contract.peer for contract in (after, old.get(identity)) if contract is not None}
        self._agreements, self._contracts, self._version = agreements, contracts, version
        return Change(
            agreements, contracts, documents, changed, before.keys() - agreements.keys(), last is None, replaced
        )

    def _read(self) -> tuple[dict[str, Agreement], dict[str, ContractGrant], dict[str, Any]]:
        agreements = {
            agreement.peer: agreement
            for agreement in self._store.agreements()
            if is_safe(agreement.url) and not like_domain(agreement.peer)
        }
        if self._cloud in agreements:
            raise StoreError(
                f"{self._store.name}: it is another cloud's: it has an agreement with {self._cloud} itself."
            )
        documents = {name: self._store.known_keys(name) for name in agreements.keys() | self._others}
        contracts = {contract.id: contract for contract in self._store.contracts.all()}
        return agreements, contracts, {name: document for name, document in documents.items() if document}
