"""A question of openstacksdk's, kept so that it can be asked again on the event loop; and its answer, given to openstacksdk before it asks.

A request through openstacksdk, keystoneauth, requests and urllib3 is 0.7 ms of computing, and a thread that waits. Where it leads is the
same each time, for as long as a token lasts. So openstacksdk is made to say what it would send (`rehearsed`), that is sent by others
(`sending`), and whatever in the answer is not plain is left to openstacksdk, which finds the answer there when it asks (`arrived`).
"""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPHeaderDict, HTTPResponse

from openstackoid.oaktree.upstream.calls import Call, run


@dataclass(frozen=True, eq=False)
class Question:
    """One GET as openstacksdk sends it.

    Attributes:
        url: with the query.
        headers: with the token.
        timeout: seconds, as requests has it.
        verify: whether the cloud's certificate is checked, or against which authorities.
        cert: files of the client's own certificate.
    """

    url: str
    headers: Mapping[str, str] = field(repr=False)
    timeout: Any = None
    verify: bool | str = True
    cert: Any = None


@dataclass(frozen=True)
class Answer:
    """What came: the whole of it, unpacked."""

    status: int
    reason: str
    headers: HTTPHeaderDict
    body: bytes


class _RehearsedError(Exception):
    """It would have been sent."""

    def __init__(self, question: Question | None) -> None:
        super().__init__()
        self.question = question


def rehearsed(ask: Callable[[], object]) -> Question | None:
    """What a function would ask first; nothing is sent. Blocks, for the time of some computing.

    None if it would ask nothing, change something, or ask through a proxy.
    """
    call = Call()
    call.ahead = _stop
    try:
        run(call, ask)
    except _RehearsedError as stopped:
        return stopped.question
    except Exception:  # noqa: BLE001 - it is asked by openstacksdk then, and told as always
        return None
    return None


def _stop(_: object, request: requests.PreparedRequest, timeout: Any, options: Mapping[str, Any]) -> None:
    plain = request.method == "GET" and not request.body and not options["stream"] and not options["proxies"]
    headers = {name: str(value) for name, value in request.headers.items()}
    raise _RehearsedError(
        Question(request.url or "", headers, timeout, options["verify"], options["cert"]) if plain else None
    )


def arrived(question: Question, outcome: Answer | Exception) -> Callable[..., Any]:
    """For `Call.ahead`: the answer to a question, or how it failed, for whoever asks it first."""
    left = [outcome]

    def give(adapter: Any, request: requests.PreparedRequest, *_: object) -> requests.Response | None:
        if not left or (request.method, request.url) != ("GET", question.url):
            return None
        found = left.pop()
        if isinstance(found, Exception):
            raise found
        raw = HTTPResponse(
            io.BytesIO(found.body), found.headers, found.status, reason=found.reason, preload_content=False
        )
        return HTTPAdapter.build_response(adapter, request, raw)

    return give
