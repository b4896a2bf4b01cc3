"""Agreements with clouds of other owners, for operators: what `openstackoid peer` does by commands.

GET    /openstackoid/v1/agreements              all peers, those of the configuration file too
GET    /openstackoid/v1/agreements?name=NAME    one, with its projects, and who changed it when
POST   /openstackoid/v1/agreements              adds one: {"url", "fingerprint", "grant", "allow"}; the fingerprint is the one that the other
                                                operator told, and is compared with the key that is published at the URL
POST   /openstackoid/v1/agreements?name=NAME    {"event": "allow", "grant"}, {"event": "suspend"} or {"event": "trust", "fingerprint"}
DELETE /openstackoid/v1/agreements?name=NAME    ends it

Gateways take a change within a second. Each change is in the history, with the operator.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

import orjson
from aiohttp import web
from pydantic import ValidationError

from openstackoid.core import errors
from openstackoid.core.protocol import AGREEMENTS_PATH
from openstackoid.gateway.api.answers import answered
from openstackoid.gateway.api.endpoints import Audience, Endpoint, Question
from openstackoid.gateway.entry.bodies import document
from openstackoid.gateway.operating import discovery, peers
from openstackoid.gateway.operating.access import Access
from openstackoid.gateway.settings.config import Config
from openstackoid.trust.agreements import is_fingerprint
from openstackoid.trust.grants import Grant
from openstackoid.trust.store import Store, UnknownPeerError

_METHODS: Final = frozenset({"GET", "POST", "DELETE"})
_CREATED: Final = 201
_FIELDS: Final = {
    "add": {"url", "fingerprint", "grant", "allow"},
    "allow": {"event", "grant"},
    "suspend": {"event"},
    "trust": {"event", "fingerprint"},
}


class GrantError(errors.BadRequestError):
    """The grant (what a cloud may do) is not valid; the message says where."""

    code = "agreement.grant"


class NoDatabaseError(errors.OpenStackoidError):
    """The gateway has no database of agreements."""

    status = 404
    code = "agreement.database"


class AgreementsApi:
    """Answers about agreements, and changes them.

    Args:
        config: of the gateway.
        store: the database; None without a section `trust`.
        access: lets operators in.
    """

    def __init__(self, config: Config, store: Store | None, access: Access) -> None:
        self._config = config
        self._store = store
        self._access = access

    def endpoints(self) -> list[Endpoint]:
        """The path of these answers."""
        return [Endpoint(AGREEMENTS_PATH, _METHODS, Audience.USERS, self._answer)]

    async def _answer(self, question: Question) -> dict[str, Any] | web.Response:
        request, name = question.request, question.request.query.get("name")
        if request.method == "GET":
            await self._access.check(request, "agreement:list")
            return await asyncio.to_thread(self._list if name is None else self._show, name or "")
        rule = {"DELETE": "delete", "POST": "create" if name is None else "update"}[request.method]
        operator = await self._access.check(request, f"agreement:{rule}")
        if self._store is None:
            raise NoDatabaseError("This gateway has no database of agreements. Operators: add a section trust.")
        if request.method == "DELETE":
            if name is None:
                raise errors.BadRequestError("Expected ?name= with the name of a peer.")
            return await asyncio.to_thread(self._remove, self._store, name, operator)
        body = _document(await document(request))
        if name is not None:
            await self._change(self._store, name, body, operator)
            return await asyncio.to_thread(self._show, name)
        added = await self._add(self._store, body, operator)
        response = answered(await asyncio.to_thread(self._show, added))
        response.set_status(_CREATED)
        return response

    # The database in threads.

    def _list(self, _: str) -> dict[str, Any]:
        return {"cloud": self._config.cloud, "agreements": peers.entries(self._config, self._store)}

    def _show(self, name: str) -> dict[str, Any]:
        listed = peers.entries(self._config, self._store)
        entry = next((entry for entry in listed if entry["name"] == name), None)
        if entry is None:
            raise UnknownPeerError(
                f"No peer has this name. There are: {', '.join(one['name'] for one in listed) or 'none'}."
            )
        projects = self._store.projects.all(name) if self._store else []
        history = self._store.history(name) if self._store else []
        return {"agreement": entry | {"projects": dict(projects), "history": [asdict(event) for event in history]}}

    async def _add(self, store: Store, body: Mapping[str, Any], operator: str) -> str:
        """Add a peer; returns its name."""
        _only(body, "add")
        allow = body.get("allow", False)
        if not isinstance(allow, bool):
            raise errors.BadRequestError("allow: expected true or false.")
        grant, fingerprint = _grant(body.get("grant")) or Grant(), _fingerprint(body)
        try:
            url = peers.safe_url(str(body.get("url", "")))
        except ValueError as error:
            raise errors.BadRequestError(f"url: {error}.") from None
        found = await discovery.look(url, self._config.ca)
        name = found.cloud.name

        def add() -> None:
            peers.check_new(name, url, self._config, store)
            peers.check_descent(found, fingerprint)
            store.add(name, url, fingerprint, grant, operator)
            store.remember_keys(name, found.keys)
            if allow:
                store.change(name, "allow", operator)

        await asyncio.to_thread(add)
        return name

    async def _change(self, store: Store, name: str, body: Mapping[str, Any], operator: str) -> None:
        event = body.get("event")
        if event not in {"allow", "suspend", "trust"}:
            raise errors.BadRequestError("event: expected allow, suspend or trust.")
        _only(body, event)
        before = await asyncio.to_thread(peers.changeable, name, self._config, store)
        if event == "trust":
            fingerprint = _fingerprint(body)
            found = await discovery.look(before.url, self._config.ca)
            if found.cloud.name != name:
                raise peers.RefusedError(f"{before.url} is a gateway of {found.cloud.name} now, not of {name}.")
            peers.check_descent(found, fingerprint)
            await asyncio.to_thread(store.repin, name, fingerprint, operator)
        else:
            await asyncio.to_thread(store.change, name, event, operator, _grant(body.get("grant")))

    def _remove(self, store: Store, name: str, operator: str) -> web.Response:
        peers.changeable(name, self._config, store)
        store.change(name, "remove", operator)
        return web.Response(status=204)


def _document(text: bytes) -> Mapping[str, Any]:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise errors.BadRequestError("Expected a JSON object.")
    return found


def _only(body: Mapping[str, Any], what: str) -> None:
    if unknown := sorted(body.keys() - _FIELDS[what]):
        raise errors.BadRequestError(f"Expected {', '.join(sorted(_FIELDS[what]))}; got {unknown[0][:64]!a}.")


def _fingerprint(body: Mapping[str, Any]) -> str:
    text = body.get("fingerprint")
    if not isinstance(text, str) or not is_fingerprint(text):
        raise errors.BadRequestError(
            "fingerprint: expected 43 characters of base64url, as openstackoid key show prints them."
        )
    return text


def _grant(given: Any) -> Grant | None:
    if given is None:
        return None
    try:
        return Grant.model_validate(given)
    except ValidationError as error:
        detail = error.errors(include_url=False, include_context=False)[0]
        place, message = ["grant", *map(str, detail["loc"])], str(detail["msg"]).removeprefix("Value error, ")
        field, colon, rest = message.partition(": ")
        if not detail["loc"] and colon and field in Grant.model_fields:
            place, message = ["grant", field], rest  # of the grant as a whole, which names the field itself
        raise GrantError(f"{'.'.join(place)}: {message}.") from None
