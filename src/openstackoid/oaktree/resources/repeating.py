"""Repeats recorded list requests of openstacksdk on the event loop; openstacksdk's code reads the answer."""

import contextlib
import functools
import json
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, Final, cast
from urllib.parse import urlsplit

import requests
from cachetools import LRUCache
from google.protobuf.message import Message
from keystoneauth1 import adapter

from openstackoid.oaktree.resources.codec import Codec
from openstackoid.oaktree.resources.kinds import Kind, Raw
from openstackoid.oaktree.upstream.ahead import Answer, Question, arrived, rehearsed
from openstackoid.oaktree.upstream.calls import Call
from openstackoid.oaktree.upstream.endpoints import Led
from openstackoid.oaktree.upstream.gate import Gate
from openstackoid.oaktree.upstream.regions import Region
from openstackoid.oaktree.upstream.sending import Sender

# Larger answers are parsed in a thread: parsing would block the event loop for too long.
_SHORT: Final = 65_536  # bytes
# Total size of the answers kept for comparison, in bytes; the messages made of them take about three times as much.
_MOST: Final = 16 * 1024**2


class Repeats:
    """Repeats list requests. For use in one event loop."""

    def __init__(self, sender: Sender, gates: Callable[[str, str], Gate]) -> None:
        """Create it without answers.

        Args:
            sender: sends the requests.
            gates: gives the gate of a cloud and a region.
        """
        self._sender: Final = sender
        self._gates: Final = gates
        self._before: Final = _Before()

    async def ask(
        self, kind: Kind, codec: Codec, region: Region, asked: Mapping[str, Any], call: Call
    ) -> Sequence[Message] | None:
        """Repeat a list request. Returns its messages; None if openstacksdk must send the request, or finish the list (it then gets the answer from the call).

        Args:
            kind: the kind of the resources.
            codec: makes the messages. They are shared and must not be modified.
            region: the cloud-region.
            asked: the arguments of `Resource.list`.
            call: the part of a call for this cloud-region.

        Raises:
            errors.OaktreeError: the request may not be sent now.
        """
        led, key = _led(region), _key(kind, asked)
        question = led.question(key) if led is not None else None
        gate = self._gates(*region.key)
        if led is None or question is None or gate.limiter.blocks:
            return None
        place = region.place()  # now, while the token with the project is valid
        try:
            answer = await self._sender.get(question, gate, call)
        except requests.RequestException as error:
            call.ahead = arrived(question, error)
            return None
        if answer.status == requests.codes.ok and len(answer.body) <= _SHORT:
            if (messages := self._before.find(question, codec, answer.body)) is not None:
                return messages
            with contextlib.suppress(Exception):  # openstacksdk sends the request itself, and raises its own error
                raws = kind.raw.list(_Come(answer), **asked)
                messages = [codec.encode(cast("Raw", raw).json, place) for raw in raws]
                self._before.keep(question, codec, answer.body, messages)
                return messages
        if len(answer.body) > _SHORT:
            led.drop(key)  # the thread that parses it can as well receive the next one, which costs a tenth less
        call.ahead = arrived(question, answer)
        return None

    async def close(self) -> None:
        """Close all connections."""
        await self._sender.close()


class _Before:
    """The last answers with their messages: an answer with identical bytes is not parsed again."""

    def __init__(self) -> None:
        self._kept: Final[LRUCache[tuple[Question, Codec], tuple[bytes, Sequence[Message]]]] = LRUCache(
            _MOST, lambda kept: len(kept[0])
        )

    def find(self, question: Question, codec: Codec, body: bytes) -> Sequence[Message] | None:
        kept = self._kept.get((question, codec))
        return kept[1] if kept is not None and kept[0] == body else None

    def keep(self, question: Question, codec: Codec, body: bytes, messages: Sequence[Message]) -> None:
        self._kept[question, codec] = body, messages


def learn(kind: Kind, region: Region, asked: Mapping[str, Any]) -> None:
    """Record the request of a list that openstacksdk has just sent. Blocks for a moment; sends nothing."""
    led = _led(region)
    if led is not None:
        led.learn(_key(kind, asked), functools.partial(_question, kind, region, asked))


def _question(kind: Kind, region: Region, asked: Mapping[str, Any]) -> Question | None:
    proxy = kind.proxy(region.connect())
    question = rehearsed(lambda: next(kind.raw.list(proxy, **asked), None))
    # Not if openstacksdk would send another request first, such as version discovery that failed before.
    path = asked.get("base_path", kind.cls.base_path) % asked
    return question if question is not None and urlsplit(question.url).path.endswith(path) else None


def _led(region: Region) -> Led | None:
    """The cache of the current token of the cloud-region, if there is one."""
    made = region.made()
    return cast("Any", made).session.led if made is not None else None


def _key(kind: Kind, asked: Mapping[str, Any]) -> Hashable:
    return kind.name, repr(sorted(asked.items()))


class _Come(adapter.Adapter):
    """An adapter that returns one answer that has arrived; every other request raises an error."""

    def __init__(self, answer: Answer) -> None:
        # Set, since `Resource._get_microversion` would look one up; the recorded request had the right microversion.
        super().__init__(cast("Any", None), default_microversion="asked")
        self._answer: Answer | None = answer

    def request(self, *_: object, **__: object) -> requests.Response:
        """As keystoneauth's."""
        if self._answer is None:
            raise LookupError("the list has another page")
        response, self._answer = _Response(self._answer), None
        return response

    def _get_connection(self) -> None:
        """A method of openstacksdk's proxies; `Raw` needs no connection."""


class _Response(requests.Response):
    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.status_code = answer.status
        self.headers = requests.structures.CaseInsensitiveDict(answer.headers)
        self._document = answer.body

    def json(self, **_: object) -> Any:
        """As the method of requests, at a fifth of the cost."""
        return json.loads(self._document)
