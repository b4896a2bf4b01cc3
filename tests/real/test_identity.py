"""Tokens and Keystones: each cloud's are its own, and a scope leads to the right one."""

import pytest
import requests
import yaml

from openstackoid.lab import Lab

from .conftest import User, login

TWO = '{"identity": "CloudTwo"}'


def test_a_token_of_one_cloud_is_nothing_in_the_other(lab: Lab, alice: User) -> None:
    url = lab.clouds["CloudTwo"].frontend("image") + "/v2/images"
    assert requests.get(url, headers={"X-Auth-Token": alice.token()}, timeout=30).status_code == 401


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
    alone = requests.get(f"{one.frontend('image')}/v2/images", headers={"X-Auth-Token": token}, timeout=30)
    assert alone.status_code == 401
    home = requests.get(f"{two.frontend('image')}/v2/images", headers={"X-Auth-Token": token}, timeout=30)
    assert home.status_code == 200


def test_a_forged_token_under_a_scope_is_refused(alice: User) -> None:
    headers = {"X-Auth-Token": alice.token()[:-4] + "AAAA", "X-Scope": '{"image": "CloudTwo"}'}
    answer = requests.get(f"{alice.frontend('image')}/v2/images", headers=headers, timeout=30)
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
    answer = requests.get(alice.frontend("image") + path, headers=headers | {"X-Auth-Token": token}, timeout=30)
    assert answer.status_code == 200
    assert "cirros-cloudtwo" in {image["name"] for image in answer.json()["images"]}
