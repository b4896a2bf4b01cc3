"""What callers are told of errors: the table, and that no secret gets through."""

import asyncio
import datetime as dt
import email.utils
import json
from pathlib import Path
from typing import Any

import grpc
import keystoneauth1.exceptions as keystone
import openstack.exceptions as sdk
import pytest
import requests
from google.rpc import error_details_pb2, status_pb2
from grpc import StatusCode
from hypothesis import given
from hypothesis import strategies as st
from tests.oaktree.failures import detail
from tests.oaktree.upstream import TOKEN, Seen, reply, upstream
from tests.ports import free_port

from openstackoid.oaktree import answers, codes, errors, statuses
from openstackoid.oaktree.masking import LONGEST, clean
from openstackoid.oaktree.upstream.breaker import Breaker
from openstackoid.oaktree.upstream.calls import Call
from openstackoid.oaktree.upstream.sessions import Session
from openstackoid.oaktree.upstream.transport import Gate, run, session


def told(status: status_pb2.Status) -> tuple[StatusCode, str]:
    return {each.value[0]: each for each in StatusCode}[status.code], statuses.reason(status)


def asked(code: int, body: Any = b"", headers: dict[str, str] | None = None, raise_from: str = "sdk") -> BaseException:
    """The exception that a real answer of a cloud becomes, in openstacksdk or in keystoneauth."""
    with upstream(lambda *_: reply(code, body, headers)) as cloud:
        through = Session(session(Gate("one", "R", Breaker("one", "R"))))
        try:
            answer = through.get(f"{cloud.url}/v2/things", raise_exc=raise_from == "keystone", authenticated=False)
            sdk.raise_from_response(answer)
        except Exception as error:
            return error
    raise AssertionError


TABLE = [
    (400, StatusCode.INVALID_ARGUMENT, "CLOUD_BAD_REQUEST"),
    (401, StatusCode.UNAUTHENTICATED, "CLOUD_UNAUTHENTICATED"),
    (402, StatusCode.FAILED_PRECONDITION, "CLOUD_HTTP_4XX"),
    (403, StatusCode.PERMISSION_DENIED, "CLOUD_FORBIDDEN"),
    (404, StatusCode.NOT_FOUND, "NOT_FOUND"),
    (405, StatusCode.UNIMPLEMENTED, "NOT_SUPPORTED"),
    (406, StatusCode.UNIMPLEMENTED, "NOT_SUPPORTED"),
    (409, StatusCode.FAILED_PRECONDITION, "CONFLICT"),
    (410, StatusCode.NOT_FOUND, "NOT_FOUND"),
    (412, StatusCode.ABORTED, "PRECONDITION_FAILED"),
    (413, StatusCode.RESOURCE_EXHAUSTED, "REQUEST_TOO_LARGE"),
    (429, StatusCode.RESOURCE_EXHAUSTED, "CLOUD_RATE_LIMITED"),
    (500, StatusCode.INTERNAL, "CLOUD_FAILED"),
    (501, StatusCode.UNIMPLEMENTED, "NOT_SUPPORTED"),
    (502, StatusCode.UNAVAILABLE, "CLOUD_UNAVAILABLE"),
    (503, StatusCode.UNAVAILABLE, "CLOUD_UNAVAILABLE"),
    (504, StatusCode.UNAVAILABLE, "CLOUD_TIMEOUT"),
    (599, StatusCode.UNAVAILABLE, "CLOUD_HTTP_5XX"),
]


@pytest.mark.parametrize("library", ["sdk", "keystone"])
@pytest.mark.parametrize(("http", "code", "reason"), TABLE)
def test_what_a_cloud_answers_has_a_code_a_reason_and_its_circumstances(
    library: str, http: int, code: StatusCode, reason: str
) -> None:
    if library == "keystone" and http in {404, 410}:
        # Never of a resource's own service: see `answers.absent`.
        code, reason = StatusCode.UNAVAILABLE, "CLOUD_DISCOVERY_FAILED"
    body = {"error": {"message": "No thing called x", "code": http}}
    error = asked(http, body, {"x-openstack-request-id": "req-17"}, library)
    status = statuses.status(error, cloud="one", region="R", service="compute")
    assert told(status) == (code, reason)
    assert "No thing called x" in status.message
    info = detail(status, error_details_pb2.ErrorInfo)
    assert info.domain == "oaktree.openstackoid"
    assert dict(info.metadata) == {
        "cloud": "one",
        "region": "R",
        "service": "compute",
        "http_status": str(http),
        "request_id": "req-17",
    }


def test_a_conflict_of_a_create_means_that_it_is_there() -> None:
    error = asked(409, {"conflict": {"message": "it is there"}})
    assert told(statuses.status(error, creating=True)) == (StatusCode.ALREADY_EXISTS, "ALREADY_EXISTS")
    assert told(statuses.status(error)) == (StatusCode.FAILED_PRECONDITION, "CONFLICT")


@pytest.mark.parametrize(
    ("http", "body"),
    [
        (403, {"forbidden": {"message": "Quota exceeded for cores: Requested 1, but already used 20 of 20 cores"}}),
        (409, {"NeutronError": {"message": "Quota exceeded for resources: ['network'].", "type": "OverQuota"}}),
        (413, {"overLimit": {"message": "Maximum number of volumes allowed (10) exceeded for quota 'volumes'."}}),
    ],
)
def test_a_quota_is_a_quota_whatever_a_service_calls_it(http: int, body: Any) -> None:
    assert told(statuses.status(asked(http, body), creating=True)) == (StatusCode.RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED")


@pytest.mark.parametrize("http", [429, 503])
@pytest.mark.parametrize("library", ["sdk", "keystone"])
def test_when_to_try_again_is_told_in_seconds_or_from_a_date(http: int, library: str) -> None:
    seconds = statuses.status(asked(http, b"", {"Retry-After": "17"}, library))
    assert detail(seconds, error_details_pb2.RetryInfo).retry_delay.ToSeconds() == 17
    later = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=100)
    date = statuses.status(asked(http, b"", {"Retry-After": email.utils.format_datetime(later, usegmt=True)}, library))
    assert 50 < detail(date, error_details_pb2.RetryInfo).retry_delay.ToSeconds() <= 100
    without = statuses.status(asked(http, raise_from=library))
    assert detail(without, error_details_pb2.RetryInfo).retry_delay.ToSeconds() == 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("", None), ("soon", None), ("-4", None), ("9" * 400, 86400), ("Mon, 01 Jan 1990 00:00:00 GMT", 0), ("²", None)],
)
def test_a_cloud_is_not_believed_just_anything(header: str, seconds: float | None) -> None:
    assert answers.parse_retry_after(header) == seconds


def test_no_retry_is_told_where_trying_again_helps_nothing() -> None:
    assert detail(statuses.status(asked(404, b"", {"Retry-After": "17"})), error_details_pb2.RetryInfo) is None


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (keystone.ConnectFailure("x"), StatusCode.UNAVAILABLE, "CLOUD_UNREACHABLE"),
        (keystone.ConnectTimeout("x"), StatusCode.UNAVAILABLE, "CLOUD_TIMEOUT"),
        (keystone.SSLError("x"), StatusCode.UNAVAILABLE, "CLOUD_TLS_FAILED"),
        (keystone.EndpointNotFound("x"), StatusCode.UNIMPLEMENTED, "SERVICE_MISSING"),
        (keystone.DiscoveryFailure("x"), StatusCode.UNAVAILABLE, "CLOUD_DISCOVERY_FAILED"),
        (keystone.VersionNotAvailable("x"), StatusCode.UNIMPLEMENTED, "NOT_SUPPORTED"),
        (keystone.MissingRequiredOptions([]), StatusCode.FAILED_PRECONDITION, "CLOUD_CONFIG_INVALID"),
        (keystone.MissingAuthPlugin("x"), StatusCode.FAILED_PRECONDITION, "CLOUD_CONFIG_INVALID"),
        (sdk.InvalidResourceQuery("x"), StatusCode.INVALID_ARGUMENT, "CLOUD_BAD_REQUEST"),
        (sdk.ConfigException("x"), StatusCode.FAILED_PRECONDITION, "CLOUD_CONFIG_INVALID"),
        (sdk.DuplicateResource("x"), StatusCode.FAILED_PRECONDITION, "NAME_AMBIGUOUS"),
        (sdk.ResourceTimeout("x"), StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED"),
        (sdk.ResourceFailure("x"), StatusCode.FAILED_PRECONDITION, "RESOURCE_FAILED"),
        (sdk.InvalidResponse("x"), StatusCode.INTERNAL, "CLOUD_ANSWER_INVALID"),
        (json.JSONDecodeError("x", "", 0), StatusCode.INTERNAL, "CLOUD_ANSWER_INVALID"),
        (requests.exceptions.JSONDecodeError("x", "", 0), StatusCode.INTERNAL, "CLOUD_ANSWER_INVALID"),
        (requests.ReadTimeout("x"), StatusCode.UNAVAILABLE, "CLOUD_TIMEOUT"),
        (requests.ConnectionError("x"), StatusCode.UNAVAILABLE, "CLOUD_UNREACHABLE"),
        (sdk.SDKException("x"), StatusCode.UNKNOWN, "CLOUD_ERROR"),
        (asyncio.CancelledError(), StatusCode.CANCELLED, "CALL_CANCELLED"),
        (TimeoutError(), StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED"),
        (errors.CallCancelledError("x"), StatusCode.CANCELLED, "CALL_CANCELLED"),
        (errors.CallDeadlineError("x"), StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED"),
        (errors.LeftAloneError("x"), StatusCode.UNAVAILABLE, "CLOUD_LEFT_ALONE"),
        (errors.RateError("x"), StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMITED"),
        (RuntimeError("x"), StatusCode.INTERNAL, "INTERNAL"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_what_the_libraries_raise_has_a_code_and_a_reason(error: BaseException, code: StatusCode, reason: str) -> None:
    assert told(statuses.status(error)) == (code, reason)


def test_a_cloud_that_is_not_there_is_found_behind_what_discovery_says_of_it() -> None:
    from keystoneauth1.identity import Password  # noqa: PLC0415 - one test's

    url = f"http://127.0.0.1:{free_port()}/"
    auth = Password(url, username="u", password="p", user_domain_id="d", project_name="p", project_domain_id="d")
    through = Session(session(Gate("one", "R", Breaker("one", "R"))), auth=auth)
    with pytest.raises(keystone.DiscoveryFailure) as caught:
        through.get_token()
    assert told(statuses.status(caught.value))[1] in {"CLOUD_UNREACHABLE", "CLOUD_LEFT_ALONE"}


def test_the_wrong_field_is_named() -> None:
    status = statuses.status(errors.invalid("options.page_size", "expected 0 to 1000, got -1"))
    assert told(status) == (StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    (violation,) = detail(status, error_details_pb2.BadRequest).field_violations
    assert (violation.field, violation.description) == ("options.page_size", "expected 0 to 1000, got -1")
    assert "options.page_size" in status.message


def test_nothing_is_told_of_an_error_that_nobody_expected() -> None:
    assert TOKEN not in statuses.status(KeyError(TOKEN)).SerializeToString().decode("latin-1")


SECRETS = [
    f"token {TOKEN}",
    f"X-Auth-Token: {TOKEN}",
    "X-Subject-Token: 0a1b2c3d",
    '{"x-auth-token": "0a1b2c3d"}',
    "Authorization: Bearer 0a1b2c3d",
    "adminPass=0a1b2c3d",
    '{"password": "0a1b2c3d"}',
    "http://user:0a1b2c3d@cloud/v3",
    "https://cloud/v1/x?temp_url_sig=0a1b2c3d&a=b",
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6IjEifQ.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IjBhMWIyYzNkIn0",
    "da39a3ee5e6b4b0d3255bfef95601890afd80709" * 2,
]


@pytest.mark.parametrize("text", SECRETS)
def test_what_looks_like_a_secret_is_masked(text: str) -> None:
    shown = clean(f"failed: {text} and so on")
    assert shown.startswith("failed:")
    for secret in (TOKEN, "0a1b2c3d", "MTIzNDU2", "da39a3ee5e6b4b0d"):
        assert secret not in shown


@pytest.mark.parametrize(
    "text",
    [
        "No Network found for 0b0ad0d1-1c1b-4a7a-9c1f-2ab0f6f4ae12",
        "Unable to establish connection to http://127.0.0.1:9292/v2/images/0b0ad0d1-1c1b-4a7a-9c1f-2ab0f6f4ae12/file",
        "Quota exceeded for cores: Requested 1, but already used 20 of 20 cores",
        "Instance 3f0e4aa1a4a84a4a8f7b5f0c5b3c9f7e could not be found.",
        "a-very-long-name-of-a-server-that-somebody-has-chosen-well",
        "How many? Many: see https://docs/x",
    ],
)
def test_what_helps_is_kept(text: str) -> None:
    assert clean(text) == text


def test_addresses_in_memory_are_left_out() -> None:
    text = "(Caused by NewConnectionError('<urllib3.connection.HTTPConnection object at 0x7f06>: refused'))"
    assert clean(text) == "(Caused by NewConnectionError('refused'))"


@given(st.text())
def test_any_text_becomes_one_bounded_line_that_a_status_can_carry(text: str) -> None:
    shown = clean(text)
    assert len(shown) <= LONGEST
    assert shown.isprintable()
    assert status_pb2.Status.FromString(statuses.status(sdk.SDKException(text)).SerializeToString()).code


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_token_between_any_texts_is_masked(before: str, after: str) -> None:
    assert TOKEN not in clean(f"{before} {TOKEN} {after}")


def test_a_long_answer_of_a_cloud_fits_into_a_status() -> None:
    status = statuses.status(asked(500, {"error": {"message": "\u00e4" * 100_000}}), cloud="c" * 9999)
    assert len(status.SerializeToString()) < 4096


async def test_a_call_ends_with_the_details_of_its_error() -> None:
    async def handle(_: bytes, context: Any) -> bytes:
        error = errors.invalid("location.cloud", "expected one of a, b; got x")
        await statuses.abort(context, error, cloud="one", region="R")

    server = grpc.aio.server()
    handler = grpc.unary_unary_rpc_method_handler(handle)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("x.X", {"Do": handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await channel.unary_unary("/x.X/Do", None, None)(b"")
            # As a client of any language reads it.
            found = statuses.status(caught.value)
            assert caught.value.code() is StatusCode.INVALID_ARGUMENT
            assert caught.value.details() == "location.cloud: expected one of a, b; got x"
            assert detail(found, error_details_pb2.BadRequest).field_violations[0].field == "location.cloud"
            assert dict(detail(found, error_details_pb2.ErrorInfo).metadata) == {"cloud": "one", "region": "R"}
    finally:
        await server.stop(None)


def test_a_call_that_is_over_asks_nothing() -> None:
    def handler(seen: Seen, _: Any) -> bytes:
        return reply(200)

    call = Call()
    call.cancel()
    with upstream(handler) as cloud:
        through = session(Gate("one", "R", Breaker("one", "R")))
        with pytest.raises(errors.CallCancelledError):
            run(call, through.get, cloud.url)
        assert cloud.seen == []


def reasons() -> set[str]:
    found = {reason for _, reason in codes.HTTP.values()} | {reason for _, (_, reason) in codes.KINDS}
    found |= {codes.CREATED_TWICE[1], codes.QUOTA[1], codes.INTERNAL[1]}
    kinds = [errors.OaktreeError]
    while kinds:
        kind = kinds.pop()
        found.add(kind.reason)
        kinds += kind.__subclasses__()
    return found


@pytest.mark.parametrize("reason", sorted(reasons()))
def test_every_reason_stands_in_the_reference_with_its_code(reason: str) -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "oaktree.md").read_text()
    assert f"`{reason}` |" in page
