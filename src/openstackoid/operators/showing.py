"""Peers and agreements as people and programs read them."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from openstackoid.gateway.operating import discovery
from openstackoid.gateway.operating.peers import Entry, entries
from openstackoid.operators import grants, registry
from openstackoid.trust.grants import Grant
from openstackoid.trust.store import UnknownPeerError


def peers(config: Path) -> list[Entry]:
    """All peers, of the database and of the file."""
    with registry.opened_if_any(config) as (read, store):
        return entries(read, store)


def offer(entry: Entry) -> str:
    """Which services a peer's users may use here."""
    if entry["grant"] is None:
        return "all (its users' own tokens)"
    return ", ".join(Grant.model_validate(entry["grant"]).offered) or "nothing"


def history(config: Path, name: str | None) -> list[dict[str, Any]]:
    """Every change of agreements, oldest first; with one peer, or with all (None)."""
    with registry.trusting(config) as (_, store):
        return [asdict(event) for event in store.history(name)]


def change(detail: Mapping[str, Any]) -> str:
    """The values that a change set, in short; the JSON form has all of them."""
    parts = [str(detail[key]) for key in ("url", "fingerprint") if key in detail]
    if "grant" in detail:
        try:
            offered = Grant.model_validate(detail["grant"]).offered
            parts.append(f"may use {', '.join(offered) or 'nothing'}")
        except ValueError:  # of another version
            parts.append("another grant")
    return "; ".join(parts)


class Peer:
    """One peer: our side of the agreement, and the peer's side as our running gateway knows it.

    Attributes:
        document: all of it, as JSON has it.
    """

    def __init__(self, config: Path, name: str) -> None:
        """Read the database, and ask the gateway.

        Raises:
            UnknownPeerError: neither the file nor the database has such a peer.
        """
        with registry.opened_if_any(config) as (self._config, store):
            listed = entries(self._config, store)
            projects = store.projects.held(name) if store else []
        entry = next((entry for entry in listed if entry["name"] == name), None)
        if entry is None:
            names = ", ".join(entry["name"] for entry in listed) or "none"
            raise UnknownPeerError(f"No peer {name}. There are: {names}.")
        self._frontend = next(iter(self._config.services.values())).frontend
        answer = asyncio.run(discovery.seen_by_gateway(self._frontend, self._config.ca))
        self._answers = answer is not None
        mapped = {project.foreign: project.local for project in projects}
        gone = {project.foreign: _timestamp(project.gone) for project in projects if project.gone is not None}
        self.document = entry | {"projects": mapped, "gone": gone, "gateway": (answer or {}).get(name)}

    def fields(self) -> Iterator[tuple[str, object]]:
        """The same for people: names, and values or lines of text."""
        for key in ("name", "state", "from", "token", "url", "fingerprint", "agreement"):
            yield key, self.document[key]
        if self.document["grant"]:
            yield "may do here", grants.lines(Grant.model_validate(self.document["grant"]), self._config)
        if self.document["projects"]:
            yield "projects", [*map(self._project, self.document["projects"].items())]
        theirs = self.document["gateway"]
        if theirs is None:
            why = f"does not know {self.document['name']} yet" if self._answers else "does not answer"
            yield "their gateway", f"unknown: the gateway at {self._frontend} {why}"
            return
        agreement = theirs.get("agreement")
        agreement = agreement if isinstance(agreement, dict) else {}
        offered = agreement.get("offered_there")
        yield "their gateway", theirs.get("state")
        yield "their yes", agreement.get("theirs", "unknown")
        yield "our users may use there", ", ".join(map(str, offered)) if isinstance(offered, list) else None
        if theirs.get("error"):
            yield "error", theirs["error"]

    def _project(self, mapped: tuple[str, str]) -> str:
        theirs, ours = mapped
        since = self.document["gone"].get(theirs)
        return f"{theirs} is {ours} here" + (f", gone there since {since}" if since else "")


def _timestamp(seconds: int) -> str:
    """A time as people and programs read it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
