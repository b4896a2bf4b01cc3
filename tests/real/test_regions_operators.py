"""Who operates virtual regions, by tokens of a real Keystone: they validate themselves, and roles mean what OpenStack means by them."""

import asyncio
import secrets
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
import requests

from openstackoid.lab import Lab
from openstackoid.policies import Policies
from openstackoid.regions.errors import UnauthenticatedError
from openstackoid.regions.identity import Keystone, Operator
from openstackoid.regions.policies import RULES

from .conftest import User

READ, CHANGE = "contract:list", "contract:event"


@pytest.fixture(scope="module")
def pia(lab: Lab) -> Iterator[dict[str, str]]:
    """A manager of the whole system, of no project."""
    admin, name, password = User(lab, "CloudOne-admin"), f"pia-{secrets.token_hex(4)}", secrets.token_hex(12)
    admin.ok(f"openstack user create {name} --password {password}")
    admin.ok(f"openstack role add --user {name} --system all manager")
    yield {"name": name, "password": password}
    admin.ok(f"openstack user delete {name}")


def system_token(lab: Lab, user: dict[str, str]) -> str:
    who = {"user": {**user, "domain": {"name": "Default"}}}
    body: Any = {"auth": {"identity": {"methods": ["password"], "password": who}, "scope": {"system": {"all": True}}}}
    answer = requests.post(f"{lab.clouds['CloudOne'].auth_url}/auth/tokens", json=body, timeout=60)
    assert answer.status_code == 201, answer.text
    return answer.headers["X-Subject-Token"]


def operator(lab: Lab, token: str) -> Operator:
    async def ask() -> Operator:
        async with aiohttp.ClientSession() as session:
            return await Keystone(lab.clouds["CloudOne"].auth_url, session, 10).operator(token)

    return asyncio.run(ask())


def test_an_admin_and_a_manager_of_the_system_are_operators_and_a_member_is_none(
    lab: Lab, alice: User, pia: dict[str, str]
) -> None:
    policies = Policies(RULES, None)
    for token, reads, changes in (
        (User(lab, "CloudOne-admin").token(), True, True),
        (system_token(lab, pia), True, True),
        (alice.token(), False, False),
    ):
        found = operator(lab, token)
        allowed = [policies.allows(rule, found.credentials) for rule in (READ, CHANGE)]
        assert allowed == [reads, changes], found.credentials


def test_a_token_that_was_revoked_or_is_of_another_cloud_is_none(lab: Lab, pia: dict[str, str]) -> None:
    token = system_token(lab, pia)
    assert pia["name"] in operator(lab, token).name
    headers = {"X-Auth-Token": token, "X-Subject-Token": token}
    done = requests.delete(f"{lab.clouds['CloudOne'].auth_url}/auth/tokens", headers=headers, timeout=60)
    assert done.status_code == 204
    for bad in (token, User(lab, "CloudTwo").token(), "gAAAAA-no-token"):
        with pytest.raises(UnauthenticatedError):
            operator(lab, bad)
