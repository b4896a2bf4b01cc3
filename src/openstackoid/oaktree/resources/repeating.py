"""Lists that were asked for before are asked for on the event loop, as openstacksdk asked; and openstacksdk reads the answer."""

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

# Larger answers are read in a thread: an event loop that reads for long tells nobody else anything.
_SHORT: Final = 65_536  # bytes
# Answers that are kept to be compared, in bytes; what was made of them takes some three times as much.
_MOST: Final = 16 * 1024**2


class Repeats:
    """Asks again. In one event loop."""

    def __init__(self, sender: Sender, gates: Callable[[str, str], Gate]) -> None:
        """Begin with no answers.

        Args:
            sender: sends.
            gates: the gate of a cloud and a region.
        """
        self._sender: Final = sender
        self._gates: Final = gates
        self._before: Final = _Before()

    async def ask(
        self, kind: Kind, codec: Codec, region: Region, asked: Mapping[str, Any], call: Call
    ) -> Sequence[Message] | None:
        """The messages of a list; None if openstacksdk must ask, or finish, which then has what has come so far.

        Args:
            kind: what is listed.
            codec: makes the messages, which are shared: nobody may change them.
            region: where.
            asked: the arguments of `Resource.list`.
            call: the part of a call that is for this cloud-region alone.

        Raises:
            errors.OaktreeError: it may not be asked now.
        """
        led = _led(region)
        question = led.question(_key(kind, asked)) if led is not None else None
        gate = self._gates(*region.key)
        if question is None or gate.limiter.blocks:
            return None
        place = region.place()  # now, while the token is there that says it
        try:
            answer = await self._sender.get(question, gate, call)
        except requests.RequestException as error:
            call.ahead = arrived(question, error)
            return None
        if answer.status == requests.codes.ok and len(answer.body) <= _SHORT:
            if (messages := self._before.find(question, codec, answer.body)) is not None:
                return messages
            with contextlib.suppress(Exception):  # openstacksdk tells what is wrong as it always does
                raws = kind.raw.list(_Come(answer), **asked)
                messages = [codec.encode(cast("Raw", raw).json, place) for raw in raws]
                self._before.keep(question, codec, answer.body, messages)
                return messages
        call.ahead = arrived(question, answer)
        return None

    async def close(self) -> None:
        """Close all connections."""
        await self._sender.close()


class _Before:
    """What the last answers to questions came to: an answer that is the same, byte for byte, is not read again."""

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
    """Keep how openstacksdk asks for a list that it has just asked for. Blocks for a moment; asks nobody."""
    led = _led(region)
    if led is not None:
        led.learn(_key(kind, asked), functools.partial(_question, kind, region, asked))


def _question(kind: Kind, region: Region, asked: Mapping[str, Any]) -> Question | None:
    proxy = kind.proxy(region.connect())
    question = rehearsed(lambda: next(kind.raw.list(proxy, **asked), None))
    # Not where openstacksdk looks for something else first, as for versions that it did not find before.
    path = asked.get("base_path", kind.cls.base_path) % asked
    return question if question is not None and urlsplit(question.url).path.endswith(path) else None


def _led(region: Region) -> Led | None:
    """What the token in use there has led to, if there is one."""
    made = region.made()
    return cast("Any", made).session.led if made is not None else None


def _key(kind: Kind, asked: Mapping[str, Any]) -> Hashable:
    return kind.name, repr(sorted(asked.items()))


class _Come(adapter.Adapter):
    """Stands for a service whose one answer has come; whatever else is asked of it raises an error."""

    def __init__(self, answer: Answer) -> None:
        # `Resource._get_microversion` would have one looked up: the question had the right one.
        super().__init__(cast("Any", None), default_microversion="asked")
        self._answer: Answer | None = answer

    def request(self, *_: object, **__: object) -> requests.Response:
        """As keystoneauth's."""
        if self._answer is None:
            raise LookupError("the list has another page")
        response, self._answer = _Response(self._answer), None
        return response

    def _get_connection(self) -> None:
        """As openstacksdk's proxies have it: what `Raw` is made of needs none."""


class _Response(requests.Response):
    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.status_code = answer.status
        self.headers = requests.structures.CaseInsensitiveDict(answer.headers)
        self._document = answer.body

    def json(self, **_: object) -> Any:
        """As requests has it, at a fifth of the cost."""
        return json.loads(self._document)
