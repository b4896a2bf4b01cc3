"""Records a GET request of openstacksdk, so that it can be repeated on the event loop, and hands the response to openstacksdk.

A request through openstacksdk, keystoneauth, requests and urllib3 takes 0.7 ms of computing, and a thread that waits. Its URL and headers
are the same each time, for as long as a token lasts. So `rehearsed` records the request that openstacksdk would send, `sending` sends it,
and any unusual answer is left to openstacksdk, which gets it from `arrived` instead of sending the request.
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
    """One GET request as openstacksdk sends it.

    Attributes:
        url: the URL, with the query.
        headers: the headers, with the token.
        timeout: seconds, in the form of requests' `timeout`.
        verify: whether the cloud's certificate is verified, or the file of authorities to verify it with.
        cert: files of the client certificate.
    """

    url: str
    headers: Mapping[str, str] = field(repr=False)
    timeout: Any = None
    verify: bool | str = True
    cert: Any = None


@dataclass(frozen=True)
class Answer:
    """A complete response, with its body decompressed."""

    status: int
    reason: str
    headers: HTTPHeaderDict
    body: bytes


class _RehearsedError(Exception):
    """Stops a rehearsal in place of sending the request."""

    def __init__(self, question: Question | None) -> None:
        super().__init__()
        self.question = question


def rehearsed(ask: Callable[[], object]) -> Question | None:
    """Record the first request that a function would send; nothing is sent. Blocks for some computing.

    Returns None if the function sends no request, a request other than a plain GET, or a request through a proxy.
    """
    call = Call()
    call.ahead = _stop
    try:
        run(call, ask)
    except _RehearsedError as stopped:
        return stopped.question
    except Exception:  # noqa: BLE001 - openstacksdk then sends the request itself, and raises the error
        return None
    return None


def _stop(_: object, request: requests.PreparedRequest, timeout: Any, options: Mapping[str, Any]) -> None:
    plain = request.method == "GET" and not request.body and not options["stream"] and not options["proxies"]
    headers = {name: str(value) for name, value in request.headers.items()}
    raise _RehearsedError(
        Question(request.url or "", headers, timeout, options["verify"], options["cert"]) if plain else None
    )


def arrived(question: Question, outcome: Answer | Exception) -> Callable[..., Any]:
    """A function for `Call.ahead` that gives the recorded outcome (answer or error) to the first request that equals the question."""
    left = [outcome]

    def give(adapter: Any, request: requests.PreparedRequest, *_: object) -> requests.Response | None:
        if not left or (request.method, request.url) != ("GET", question.url):
            return None
        item = left.pop()
        if isinstance(item, Exception):
            raise item
        raw = HTTPResponse(io.BytesIO(item.body), item.headers, item.status, reason=item.reason, preload_content=False)
        return HTTPAdapter.build_response(adapter, request, raw)

    return give
