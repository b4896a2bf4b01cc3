"""Identity across clouds, and links that lead back to the entry."""

import json
from typing import Any

import pytest
from tests.gateway.conftest import World
from tests.gateway.wire import PROJECT, SERVICE_TOKEN, TOKEN, Gateway, ask, reply, scope

FOREIGN = "gAAAAAmarker-of-cloud-two"
SUBJECT = {
    "X-Subject-Token": FOREIGN + '!SCOPE!{"identity": "CloudTwo", "*": "CloudTwo"}',
    "X-Service-Token": SERVICE_TOKEN,
}
LOGIN = b'{"auth": {"identity": {"methods": ["password"], "password": {"user": {"password": "gAAAAAmarker-pw"}}}}}'


def validate(gateway: Gateway, query: str, *, method: str = "GET", token: str = TOKEN) -> Any:
    return ask(gateway.url("identity"), f"/v3/auth/tokens?{query}", SUBJECT, method=method, token=token)


def urls(catalog: list[dict[str, Any]]) -> dict[str, str]:
    return {entry["type"]: entry["endpoints"][0]["url"] for entry in catalog}


def test_a_foreign_token_validates_itself(world: World) -> None:
    assert validate(world.one, "allow_expired=1&self").status == 200
    seen = world.cloud_two["identity"].seen("/v3/auth/tokens?allow_expired=1&self")
    assert (seen.get("X-Auth-Token"), seen.get("X-Subject-Token")) == (FOREIGN, FOREIGN)
    assert seen.get("X-Service-Token") is None


def test_the_catalog_is_that_of_the_configuration_until_a_service_needs_one(world: World) -> None:
    token = validate(world.three, "configured").json["token"]
    here = world.cloud_three.frontends
    assert urls(token["catalog"]) == here | {"compute": f"{here['compute']}/v2.1/{PROJECT}"}
    assert {point["interface"] for entry in token["catalog"] for point in entry["endpoints"]} == {
        *("public", "internal", "admin")
    }
    # What anybody else logs in with is not learned.
    assert ask(world.three.url("identity"), "/v3/auth/tokens", method="POST", body=LOGIN, token=None).status == 201
    assert validate(world.three, "still-configured").json["token"]["catalog"] == token["catalog"]
    token = validate(world.one, "learned", token=SERVICE_TOKEN).json["token"]
    assert token["catalog"] == world.cloud_one.catalog()


def test_a_token_that_its_own_cloud_refuses_is_not_found_here(world: World) -> None:
    world.cloud_two["identity"].on("/v3/auth/tokens?refused", reply(401, {"error": {"code": 401}}))
    answer = validate(world.one, "refused")
    assert (answer.status, answer.json["error"]["code"]) == (404, 404)
    # Other answers stay what they are.
    world.cloud_two["identity"].on("/v3/auth/tokens?broken", reply(503, {"error": {"code": 503}}))
    assert validate(world.one, "broken").status == 503


def test_a_local_token_never_goes_abroad_to_revoke(world: World) -> None:
    world.cloud_two["identity"].on("/v3/auth/tokens?revoke", reply(401, {"error": {"code": 401}}))
    validate(world.one, "revoke", method="DELETE")
    seen = world.cloud_two["identity"].seen("/v3/auth/tokens?revoke")
    assert (seen.method, seen.get("X-Auth-Token"), seen.get("X-Subject-Token")) == ("DELETE", None, FOREIGN)
    # Whoever has a token of that cloud may use it there.
    both = {"X-Auth-Token": SUBJECT["X-Subject-Token"], "X-Subject-Token": SUBJECT["X-Subject-Token"]}
    ask(world.one.url("identity"), "/v3/auth/tokens?revoke=own", both, method="DELETE")
    assert world.cloud_two["identity"].seen("/v3/auth/tokens?revoke=own").get("X-Auth-Token") == FOREIGN


def test_a_login_in_another_cloud_gets_the_entrys_catalog(world: World) -> None:
    validate(world.one, "learned", token=SERVICE_TOKEN)
    answer = ask(
        world.one.url("identity"), "/v3/auth/tokens", scope(identity="CloudTwo"), method="POST", body=LOGIN, token=None
    )
    assert answer.status == 201
    assert answer.get("X-Subject-Token") == "gAAAAAmarker-new"
    assert answer.json["token"]["catalog"] == world.cloud_one.catalog()
    assert world.cloud_two["identity"].seen("/v3/auth/tokens").raw == LOGIN


@pytest.mark.parametrize("prefix", ["", "/scope/images-elsewhere", "/scope/images-elsewhere/image"])
def test_links_of_a_peer_lead_to_the_entry(world: World, prefix: str) -> None:
    theirs = world.cloud_two.frontends["image"]
    document = {
        "versions": [{"id": "v2.9", "links": [{"rel": "self", "href": f"{theirs}/v2/"}]}],
        "next": f"{theirs}/v2/images?marker=x",
        "self": "/v2/images",
        "metadata": {"href": f"{theirs}/mine", "note": theirs},
        "name": theirs,
        "elsewhere": [{"href": "http://elsewhere.example/v2"}],
    }
    world.cloud_two["image"].on("/v2/links", reply(300, document, {"Location": f"{theirs}/v2/images/1"}))
    answer = ask(world.one.url("image"), f"{prefix}/v2/links", {} if prefix else scope(image="CloudTwo"))
    ours = world.one.url("image") + prefix.removesuffix("/image")
    assert answer.status == 300
    assert answer.get("Location") == f"{ours}/v2/images/1"
    assert answer.json == document | {
        "versions": [{"id": "v2.9", "links": [{"rel": "self", "href": f"{ours}/v2/"}]}],
        "next": f"{ours}/v2/images?marker=x",
    }


def test_a_saved_scope_is_kept_in_the_catalog_and_in_local_links(world: World) -> None:
    url = world.one.url("identity")
    answer = ask(url, "/scope/images-elsewhere/v3/auth/tokens", method="POST", body=LOGIN, token=None)
    found = urls(answer.json["token"]["catalog"])
    assert found["image"] == f"{world.one.url('image')}/scope/images-elsewhere"
    assert found["compute"] == f"{world.one.url('compute')}/scope/images-elsewhere/v2.1/{PROJECT}"
    world.cloud_one["identity"].on("/v3-links", reply(200, {"links": {"self": f"{url}/v3", "next": None}}))
    assert ask(url, "/scope/images-elsewhere/v3-links").json["links"]["self"] == f"{url}/scope/images-elsewhere/v3"


@pytest.mark.parametrize("saved", ["", "/scope/images-one"])
def test_a_path_a_service(world: World, saved: str) -> None:
    """Services behind a path know nothing of it: they build links from Host alone."""
    base = world.two.url("image")
    root = base.removesuffix("/image")
    answer = {"links": [{"rel": "self", "href": f"{root}/v2/"}, {"rel": "next", "href": f"{base}/v2/n"}]}
    cloud = world.cloud_one if saved else world.cloud_two
    theirs = world.one.url("image") if saved else root
    answer = {"links": [{"rel": "self", "href": f"{theirs}/v2/"}]}
    cloud["image"].on("/v2/behind", reply(200, answer, {"Location": f"{theirs}/v2/x"}))
    got = ask(root, f"{saved}/image/v2/behind")
    assert got.json["links"][0]["href"] == f"{root}{saved}/image/v2/"
    assert got.get("Location") == f"{root}{saved}/image/v2/x"
    assert ask(root, "/imagery/v2").code == "service.missing"
    assert ask(root, "/image").json["target"] == "/"


def test_a_cloud_says_what_it_serves(world: World) -> None:
    for service in ("image", "identity"):
        document = ask(world.one.url(service), "/.well-known/openstackoid", token=None).json
        assert document == {
            "cloud": "CloudOne",
            "version": 1,
            "labels": [],
            "services": {kind: {"url": url} for kind, url in world.cloud_one.frontends.items()},
        }


def test_saved_scopes_are_listed_with_their_auth_url(world: World) -> None:
    identity = world.one.url("identity")
    assert ask(world.one.url("image"), "/openstackoid/v1/scopes", token=None).json == {
        "scopes": [
            {"name": name, "scope": {"image": cloud}, "auth_url": f"{identity}/scope/{name}/v3"}
            for name, cloud in (("dead", "Dead"), ("images-elsewhere", "CloudTwo"))
        ]
    }


def test_explain_says_what_would_happen_and_does_nothing(world: World) -> None:
    path = "/openstackoid/v1/explain?service=Image&method=get&path=/v2/explained"
    for prefix, headers in (("", scope(image="CloudTwo")), ("/scope/images-elsewhere", {})):
        told = ask(world.one.url("compute"), prefix + path, headers).json
        assert (told["decision"], told["cloud"], told["url"]) == ("remote", "CloudTwo", world.two.url("image"))
        assert told["scope"] == {"*": "CloudOne", "identity": "CloudOne", "image": "CloudTwo"}
    assert not world.cloud_two["image"].all("/v2/explained")
    assert ask(world.one.url("image"), "/openstackoid/v1/explain").code == "request.malformed"
    assert ask(world.one.url("image"), "/openstackoid/v2").code == "path.missing"
    peers = json.loads(ask(world.one.url("image"), "/openstackoid/v1/peers").body)["peers"]
    assert {peer["name"]: peer["state"] for peer in peers}["CloudTwo"] == "up"
    assert TOKEN not in json.dumps(peers)
