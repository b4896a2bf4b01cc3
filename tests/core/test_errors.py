"""Errors: codes that never change, a form that OpenStack's clients read, messages that show the place."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from keystoneauth1.exceptions import HttpError, from_response
from requests import Response

from openstackoid.core import errors
from openstackoid.core.errors import OpenStackoidError, ScopeError

# Published: a code may be added, never changed or given another status.
CODES = {
    "ScopeError": (400, "scope.malformed"),
    "BadRequestError": (400, "request.malformed"),
    "ConfigError": (500, "config.invalid"),
    "UnknownCloudError": (400, "cloud.unknown"),
    "UnknownServiceError": (400, "service.unknown"),
    "UnknownScopeError": (404, "scope.unknown"),
    "SplitServerError": (400, "scope.split"),
    "NoSuchServiceError": (404, "service.missing"),
    "NotBuiltError": (501, "scope.operators"),
    "LoopError": (508, "request.loop"),
    "BusyError": (503, "document.busy"),
    "PeerUnreachableError": (502, "peer.unreachable"),
    "PeerTimeoutError": (504, "peer.timeout"),
    "PeerAnswerError": (502, "peer.answer"),
    "PeerLeadsAwayError": (502, "peer.leads-away"),
    "BackendUnreachableError": (502, "backend.unreachable"),
    "BackendTimeoutError": (504, "backend.timeout"),
}


@pytest.mark.parametrize("name", CODES)
def test_codes_are_permanent(name: str) -> None:
    kind: type[OpenStackoidError] = getattr(errors, name)
    assert issubclass(kind, OpenStackoidError)
    assert (kind.status, kind.code) == CODES[name]


@pytest.mark.parametrize("name", sorted(CODES.keys() - {"ScopeError"}))
def test_keystoneauth_shows_the_message(name: str) -> None:
    kind: type[OpenStackoidError] = getattr(errors, name)
    body = kind("Use another cloud.").body()
    assert body["error"]["openstackoid_code"] == kind.code
    response = Response()
    response.status_code = kind.status
    response.headers["Content-Type"] = "application/json"
    response._content = json.dumps(body).encode()
    shown = from_response(response, "GET", "http://cloud/image")
    assert isinstance(shown, HttpError)
    assert shown.http_status == kind.status
    assert "Use another cloud." in str(shown)


def test_a_scope_error_shows_the_place() -> None:
    text = '{"image": "Cloud Two"}'
    error = ScopeError("expected & or | between clouds", text, text.index("Two"))
    assert str(error) == 'Malformed scope: expected & or | between clouds at character 17: {"image": "Cloud  >>>Two"}'
    assert error.body()["error"]["code"] == 400


def test_only_the_surroundings_of_a_long_text_are_shown() -> None:
    shown = str(ScopeError("expected less", "a" * 500 + "!" + "b" * 500, 500))
    assert len(shown) < 150
    assert re.search(r"\.\.\.a+ >>>!b+\.\.\.$", shown)


@given(st.text(), st.integers(-5, 200))
def test_a_scope_error_is_one_line_of_ascii(text: str, position: int) -> None:
    error = ScopeError("expected another", text, position)
    shown = str(error)
    assert 0 <= error.position <= len(text)
    assert shown.isascii()
    assert not set(shown) & set("\r\n")
    json.dumps(error.body()).encode()
