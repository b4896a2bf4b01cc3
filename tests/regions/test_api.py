"""The API as operators and strangers meet it: who may, versions, documents, faults."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from tests.regions.door import ADMIN, DOMAIN, MANAGER, MEMBER, READER
from tests.regions.negotiating import pair as copies
from tests.regions.planes import REGION, Plane, offered, terms, two_planes

from openstackoid.cli import main
from openstackoid.core.protocol import MESSAGES_PATH, OFFERS_PATH
from openstackoid.regions.handlers.routes import OPERATORS
from openstackoid.regions.objects import message as messages
from openstackoid.regions.objects.message import Message
from openstackoid.regions.objects.states import ContractEvent
from openstackoid.regions.objects.terms import Terms
from openstackoid.trust.keys import fresh_keys


@pytest.fixture
async def planes(tmp_path: Path) -> AsyncIterator[tuple[Plane, Plane]]:
    async with two_planes(tmp_path) as found:
        yield found


async def raw(plane: Plane, method: str, path: str, **options: Any) -> tuple[int, Any, dict[str, str]]:
    async with aiohttp.ClientSession() as session, session.request(method, plane.url + path, **options) as response:
        return response.status, json.loads(await response.read()), dict(response.headers)


async def peer(plane: Plane, document: Any) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{plane.inner}{MESSAGES_PATH}"
        async with session.post(url, data=json.dumps(document)) as response:
            return response.status, json.loads(await response.read())


def code(document: Any) -> str:
    return str(document["error"]["openstackoid_code"])


async def test_the_api(planes: tuple[Plane, Plane]) -> None:
    """One pair of processes for many questions: they take seconds to start."""
    provider, consumer = planes
    await discovery(provider)
    await who_may(provider)
    await regions(provider)
    await documents(provider)
    await hostile_peers(provider, consumer)
    await negotiation_is_for_two(provider, consumer)


async def discovery(plane: Plane) -> None:
    status, found, headers = await raw(plane, "GET", "/")
    assert (status, found["versions"][0]["links"][0]["href"]) == (200, f"{plane.url}/v1")
    assert headers["OpenStack-API-Version"] == "virtual-region 1.0"
    assert headers["x-openstack-request-id"].startswith("req-")
    for asked, expected in (
        ("virtual-region latest", 200),
        ("compute 2.1", 200),
        ("virtual-region 1.9", 406),
        ("virtual-region x", 400),
    ):
        status, found, _ = await raw(plane, "GET", "/v1", headers={"OpenStack-API-Version": asked})
        assert status == expected, asked
    status, document, _ = await raw(plane, "GET", "/v1/openapi.json")
    OpenAPIV31SpecValidator(document).validate()
    assert {(method, path) for path, methods in document["paths"].items() for method in methods} == {
        (route.method.lower(), route.path) for route in OPERATORS
    }


async def who_may(plane: Plane) -> None:
    status, found, headers = await raw(plane, "GET", "/v1/contracts")
    assert (status, code(found)) == (401, "token.refused")
    assert headers["WWW-Authenticate"].startswith("Keystone uri=")
    assert (await plane.call("GET", "/v1/contracts", token="unknown"))[0] == 401
    status, found = await plane.call("GET", "/v1/contracts", token="impersonating")
    assert (status, code(found)) == (401, "token.refused")
    assert "another kind" in json.dumps(found)
    for token, reads, writes in (
        (READER, 200, 403),
        (MANAGER, 200, 400),
        (ADMIN, 200, 400),
        (MEMBER, 403, 403),  # every user has these roles somewhere
        (DOMAIN, 403, 403),
    ):
        for route in OPERATORS:
            if route.policy is None:
                continue
            path = route.path.replace("{virtual_region}", "none").replace("{contract}", "0" * 32)
            status, found = await plane.call(route.method, path, token=token)
            reading = route.method == "GET"
            allowed = reads == 200 if reading else writes != 403
            assert (status == 403) is not allowed, (token, route.method, route.path, found)


async def regions(plane: Plane) -> None:
    status, made = await plane.call("POST", "/v1/virtual-regions", REGION)
    assert (status, made["state"], made["version"], made["contracts"]) == (201, "draft", 1, 0)
    assert code((await plane.call("POST", "/v1/virtual-regions", REGION))[1]) == "region.exists"
    path = f"/v1/virtual-regions/{made['id']}"
    changed = await plane.call("PATCH", "/v1/virtual-regions/north", {"version": 1, "description": "x"})
    assert changed[1]["version"] == 2
    assert code((await plane.call("PATCH", path, {"version": 1}))[1]) == "region.changed"
    assert code((await plane.call("POST", f"{path}/withdraw"))[1]) == "region.state"
    assert (await plane.call("DELETE", path))[1]["state"] == "retired"
    events = (await plane.call("GET", f"{path}/history"))[1]["events"]
    assert [each["event"] for each in events] == ["create", "change", "retire"]
    assert events[0]["operator"].startswith(ADMIN)
    assert (await plane.call("GET", "/v1/virtual-regions"))[1] == {"virtual_regions": []}
    assert len((await plane.call("GET", "/v1/virtual-regions?retired=true"))[1]["virtual_regions"]) == 1
    assert code((await plane.call("GET", "/v1/virtual-regions/north"))[1]) == "region.unknown"


async def documents(plane: Plane) -> None:
    headers = {"X-Auth-Token": ADMIN}
    for body, expected in (
        (b"", "request.malformed"),
        (b"[]", "request.malformed"),
        (b'{"name":"a","name":"b"}', "request.malformed"),
        (b"\xff", "request.malformed"),
        (b"[" * 100_000, "request.malformed"),
        (b"{}", "region.document"),
        (json.dumps(REGION | {"name": "a" * 32}).encode(), "region.document"),
        (json.dumps(REGION | {"services": ["identity"]}).encode(), "contract.terms"),
        (b"x" * (1 << 21), "request.large"),
    ):
        _, found, _ = await raw(plane, "POST", "/v1/virtual-regions", data=body, headers=headers)
        assert code(found) == expected, body[:40]
    for method, path, expected in (
        ("GET", "/v2", "path.missing"),
        ("PUT", "/v1/contracts", "method.unsupported"),
        ("GET", "/v1/offers", "request.malformed"),
        ("GET", "/v1/offers?provider=CloudX", "agreement.missing"),
        ("GET", "/v1/offers?provider=CloudA&require=flavors.cpus>1", "requirement.malformed"),
        ("GET", "/v1/offers?provider=CloudA&require=(", "requirement.malformed"),
        ("GET", "/v1/offers?provider=CloudA&sort=colour", "request.malformed"),
        ("GET", "/v1/contracts?state=happy", "request.malformed"),
        ("GET", f"/v1/contracts/{'0' * 32}", "contract.unknown"),
        ("GET", OFFERS_PATH, "path.missing"),  # for peers, elsewhere
    ):
        assert code((await plane.call(method, path))[1]) == expected, path


async def hostile_peers(provider: Plane, consumer: Plane) -> None:
    """What a peer, or somebody who says that he is one, sends to the provider."""
    request = (
        copies()[1].cause(ContractEvent.REQUEST, "2027-01-01T00:00:00Z", Terms.from_json(terms("ab" * 16))).ours[0]
    )

    def signed(message: Message, keys: Any = consumer.keys) -> dict[str, str]:
        return {"message": messages.sign(message, keys, 2_000_000_000)}

    def payload(**changed: Any) -> dict[str, str]:
        class Odd:
            def to_json(self) -> dict[str, Any]:
                return request.to_json() | changed

        return signed(Odd())  # type: ignore[arg-type]

    for document, status, expected in (
        ({}, 400, "region.document"),
        ({"message": "x"}, 401, "signature.invalid"),
        ({"message": "x" * 1_000_000}, 400, "region.document"),
        (signed(request, fresh_keys(0)), 401, "signature.invalid"),
        (payload(iss="CloudX"), 403, "agreement.missing"),
        (payload(aud="CloudX"), 400, "message.malformed"),
        (payload(number=0), 400, "region.document"),
        (payload(number=2, seen=0), 404, "contract.unknown"),
        (payload(seen=1), 400, "message.malformed"),
        (payload(event="dance"), 400, "region.document"),
        (payload(event="accept", terms=None, digest="0" * 64), 404, "contract.unknown"),
        (payload(terms=terms("ab" * 16, services=["identity"])), 400, "contract.terms"),
        (payload(terms={}), 400, "region.document"),
        (payload(more=1), 400, "region.document"),
    ):
        found = await peer(provider, document)
        assert (found[0], code(found[1])) == (status, expected)
    assert (await provider.call("GET", "/v1/contracts"))[1] == {"contracts": []}
    assert code((await peer_offers(provider, {}))[1]) == "signature.invalid"
    assert (await peer_offers(provider, {"X-Openstackoid-Assertion": "eyJ.x.y"}))[0] == 401


async def peer_offers(plane: Plane, headers: dict[str, str]) -> tuple[int, Any]:
    url = f"http://127.0.0.1:{plane.inner}{OFFERS_PATH}"
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as response:
        return response.status, json.loads(await response.read())


async def negotiation_is_for_two(provider: Plane, consumer: Plane) -> None:
    """Contracts and events that are refused, by the API and with the answers that the document promises."""
    region = await offered(provider)
    status, made = await consumer.call("POST", "/v1/contracts", {"provider": "CloudP", "terms": terms(region)})
    assert status == 201
    shown = next(route.answer for route in OPERATORS if route.path == "/v1/contracts/{contract}")
    assert shown
    Draft202012Validator(shown).validate(made)
    path = f"/v1/contracts/{made['id']}/events"
    for body, expected in (
        ({"event": "accept"}, "contract.party"),
        ({"event": "activate"}, "region.state"),
        ({"event": "request"}, "region.document"),
        ({"event": "counter"}, "contract.party"),
    ):
        assert code((await consumer.call("POST", path, body))[1]) == expected
    unknown = {"provider": "CloudX", "terms": terms(region)}
    assert code((await consumer.call("POST", "/v1/contracts", unknown))[1]) == "agreement.missing"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cloud: [", "not YAML"),
        ("cloud: A", "keystone"),
        ("{cloud: A, keystone: 'http://k/v3', listen: 'a:1', listen_peers: 'a:1', database: b, keys: c, d: e}", "d: "),
        ("{cloud: A, keystone: 'http://k/v3', listen: x, listen_peers: 'a:1', database: b, keys: c}", "listen"),
        ("{cloud: A, keystone: 'http://k/v3', listen: 'a:1', listen_peers: 'a:1', keys: c}", "database"),
    ],
)
def test_a_wrong_configuration_is_refused_with_its_place(
    text: str, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "regions.yaml"
    file.write_text(text)
    assert main(["regions", "serve", "--config", str(file)]) == 1
    assert expected in capsys.readouterr().err
