"""Tokens and Keystones: each cloud's are its own, and a scope leads to the right one."""

from collections.abc import Callable
from typing import Any

import pytest
import requests
import yaml

from openstackoid.lab import Lab

from .conftest import User, login
from .tools import exchange

TWO = '{"identity": "CloudTwo"}'
pytestmark = pytest.mark.topologies("each", "same", "pass-through")
federated_labs = pytest.mark.topologies("each", "same")


def images(frontend: str, token: str) -> requests.Response:
    return requests.get(f"{frontend}/v2/images", headers={"X-Auth-Token": token}, timeout=120)


def test_a_token_of_one_cloud_is_nothing_in_the_other(lab: Lab, alice: User) -> None:
    url = lab.clouds["CloudTwo"].frontend("image") + "/v2/images"
    assert requests.get(url, headers={"X-Auth-Token": alice.token()}, timeout=120).status_code == 401


@pytest.mark.topologies("pass-through")
def test_a_user_of_the_other_cloud_through_this_gateway(lab: Lab) -> None:
    bob = yaml.safe_load(lab.clouds_yaml.read_text())["clouds"]["CloudTwo"]["auth"]
    one, two = lab.clouds["CloudOne"], lab.clouds["CloudTwo"]
    answer = login(one.auth_url, bob, TWO)
    assert answer.status_code == 201
    urls = {point["url"] for service in answer.json()["token"]["catalog"] for point in service["endpoints"]}
    assert urls
    assert all(url.startswith(f"http://{one.frontend_host}:") for url in urls), "the catalog is the entry's"
    token = answer.headers["X-Subject-Token"]
    images = requests.get(
        f"{one.frontend('image')}/v2/images", headers={"X-Auth-Token": token, "X-Scope": TWO}, timeout=30
    )
    assert images.status_code == 200
    assert "cirros-cloudone" in {image["name"] for image in images.json()["images"]}
    # The same token without the scope is nobody's here; at home it is known.
    alone = requests.get(f"{one.frontend('image')}/v2/images", headers={"X-Auth-Token": token}, timeout=120)
    assert alone.status_code == 401
    home = requests.get(f"{two.frontend('image')}/v2/images", headers={"X-Auth-Token": token}, timeout=120)
    assert home.status_code == 200


@federated_labs
def test_no_password_crosses_to_another_owners_cloud(lab: Lab, audit: Callable[..., list[dict[str, Any]]]) -> None:
    """Where tokens pass through, this login is served: see above. Here Bob's password would pass a gateway that is not his cloud's."""
    bob = yaml.safe_load(lab.clouds_yaml.read_text())["clouds"]["CloudTwo"]["auth"]
    came = len(audit("CloudTwo", service="identity", method="POST"))
    answer = login(lab.clouds["CloudOne"].auth_url, bob, TWO)
    assert answer.status_code == 403
    assert answer.json()["error"]["openstackoid_code"] == "token.home"
    assert "Log in there" in answer.json()["error"]["message"]
    assert len(audit("CloudTwo", service="identity", method="POST")) == came


@federated_labs
def test_a_user_of_the_other_cloud_with_a_token_for_this_one(lab: Lab) -> None:
    """What takes the place of that login: he asks his own cloud for a token that this one believes, and comes with it himself."""
    bob = User(lab, "CloudTwo")
    own = bob.token()
    answer = exchange(bob.frontend("identity"), own, "CloudOne")
    assert answer.status_code == 200, answer.text
    token, one, two = answer.json()["access_token"], lab.clouds["CloudOne"], lab.clouds["CloudTwo"]
    assert answer.json()["issued_token_type"] == "urn:ietf:params:oauth:token-type:jwt"
    assert 0 < answer.json()["expires_in"] <= 300
    assert images(one.frontend("image"), own).status_code == 401
    seen = images(one.frontend("image"), token)
    assert seen.status_code == 200, seen.text
    assert "cirros-cloudone" in {image["name"] for image in seen.json()["images"]}
    # Keystone is never for users of others, and the token is nothing at home, nor in the third cloud.
    assert requests.get(f"{one.auth_url}/projects", headers={"X-Auth-Token": token}, timeout=120).status_code == 403
    for cloud in (two, lab.clouds["CloudThree"]):
        assert images(cloud.frontend("image"), token).status_code == 401


@federated_labs
@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"audience": "CloudNine"}, 403),
        ({"subject_token": "nonsense"}, 401),
        ({"subject_token_type": "urn:ietf:params:oauth:token-type:jwt"}, 401),
        ({"grant_type": "password"}, 400),
    ],
)
def test_no_token_for_who_may_not_have_one(alice: User, fields: dict[str, str], status: int) -> None:
    assert exchange(alice.frontend("identity"), alice.token(), "CloudTwo").status_code == 200
    answer = exchange(alice.frontend("identity"), alice.token(), **{"audience": "CloudTwo", **fields})
    assert answer.status_code == status, answer.text


def test_a_forged_token_under_a_scope_is_refused(alice: User) -> None:
    headers = {"X-Auth-Token": alice.token()[:-4] + "AAAA", "X-Scope": '{"image": "CloudTwo"}'}
    answer = requests.get(f"{alice.frontend('image')}/v2/images", headers=headers, timeout=120)
    assert answer.status_code == 401


def test_a_revoked_token_is_refused_elsewhere(alice: User) -> None:
    token = alice.token()
    headers = {"X-Auth-Token": token}
    requests.delete(
        f"{alice.frontend('identity')}/v3/auth/tokens", headers=headers | {"X-Subject-Token": token}, timeout=30
    ).raise_for_status()
    answer = requests.get(
        f"{alice.frontend('image')}/v2/images", headers=headers | {"X-Scope": '{"image": "CloudTwo"}'}, timeout=30
    )
    assert answer.status_code == 401


@pytest.mark.parametrize("form", ["header", "token", "saved"])
def test_all_three_forms_mean_the_same(alice: User, form: str) -> None:
    token, path, headers = alice.token(), "/v2/images", {}
    if form == "header":
        headers = {"X-Scope": '{"image": "CloudTwo"}'}
    elif form == "token":
        token += '!SCOPE!{"image": "CloudTwo"}'
    else:
        path = f"/scope/images-from-CloudTwo{path}"
    answer = requests.get(alice.frontend("image") + path, headers=headers | {"X-Auth-Token": token}, timeout=120)
    assert answer.status_code == 200
    assert "cirros-cloudtwo" in {image["name"] for image in answer.json()["images"]}
