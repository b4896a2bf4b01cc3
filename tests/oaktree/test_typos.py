"""Typos in expressions are told, where they can be known to be typos: they gave an empty list, or a watch without an end."""

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from tests.oaktree.failures import violation
from tests.oaktree.shell import Shell

from oaktree.client import Oaktree as Client
from oaktree.v1 import common_pb2, compute_pb2, resource_pb2

LONG = 60.0
WRONG = [
    "staus == 'ACTIVE'",  # no such attribute
    "status == ACTIVE",  # a text without quotes is an attribute for JMESPath
    'name == "web"',  # and so is one in double quotes
    "contians(name, 'Alpha')",  # no such function
    "starts_with(name)",  # too few arguments
    "length(name, id)",  # too many
    "location.clud == 'Alpha'",
    "status.name == 'ACTIVE'",  # of a text
    "[?status == 'ACTIVE'].staus || staus",
    "{a: name, b: staus}",
    "name && !staus",
    "not_null(name, staus)",
    "@.staus",
    "(name || staus) == 'x'",
]
RIGHT = [
    "status == 'ACTIVE'",
    "contains(name, 'Alpha')",
    "location.cloud == 'Alpha'",
    "metadata.anything.at.all == 'x' || name",
    "not_null(name, id)",
    "addresses.*[].addr | [0] || name",
    'sort_by(`[{"anything": 1}]`, &anything)[0].anything',
    "@.name",
]


@pytest.fixture(scope="module")
def client(sh: Shell) -> Iterator[Client]:
    with grpc.insecure_channel(sh.target) as channel:
        yield Client(channel)


def typed(client: Client, **options: Any) -> Any:
    asked = compute_pb2.ListServersRequest(options=common_pb2.ListOptions(**options))
    return [server for answer in client.compute.ListServers(asked, timeout=LONG) for server in answer.servers]


def generic(client: Client, **options: Any) -> Any:
    asked = resource_pb2.ListResourcesRequest(kind="compute.server", options=common_pb2.ListOptions(**options))
    return [each for answer in client.resources.ListResources(asked, timeout=LONG) for each in answer.resources]


def watched(client: Client, query: str) -> Any:
    asked = compute_pb2.WatchServerRequest(id="Alpha-0", until=common_pb2.Condition(query=query))
    return list(client.compute.WatchServer(asked, timeout=LONG))


def refused(call: Any, *args: Any, **options: Any) -> str:
    with pytest.raises(grpc.RpcError) as caught:
        call(*args, **options)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT, caught.value
    return violation(caught.value)


@pytest.mark.parametrize("query", WRONG)
def test_a_query_that_cannot_be_right_is_refused(client: Client, query: str) -> None:
    assert refused(typed, client, query=query) == "options.query"
    assert refused(watched, client, query) == "until.query"
    if query != "status.name == 'ACTIVE'":  # of what type it is, the typed message says
        assert refused(generic, client, query=query) == "options.query"


@pytest.mark.parametrize("query", RIGHT)
def test_one_that_may_be_right_is_asked(client: Client, query: str) -> None:
    assert typed(client, query=query)
    assert generic(client, query=query)


def test_what_openstacksdk_does_not_know_can_be_asked_for(client: Client) -> None:
    assert typed(client, query="other.brand_new == `null`")
    assert generic(client, query="attributes.brand_new == `null`")
    assert generic(client, query='"OS-NEW-EXT:attribute" == `null`')


@pytest.mark.parametrize("order", ["nme", "name, staus desc", "location.clud", "status.name"])
def test_an_order_that_cannot_be_right_is_refused(client: Client, order: str) -> None:
    assert refused(typed, client, order_by=order) == "options.order_by"


def test_one_that_may_be_is_asked(client: Client) -> None:
    assert next(each.name for each in typed(client, order_by="location.cloud desc, name")) == "Beta-0"


def test_the_shell_says_what_was_meant(sh: Shell) -> None:
    done = sh.call("list", "servers", "--query", "staus == 'ACTIVE'")
    assert done.returncode == 2
    assert "--query: there is no attribute 'staus' (is it status" in done.stderr
