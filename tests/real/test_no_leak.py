"""What arrives at CloudTwo when CloudOne's users work there: nothing that CloudOne would take for a token, and no word of who they are.

Every byte is recorded: before each of CloudTwo's services, at its door for other clouds, and at the other clouds' doors, where its
gateway calls and is answered. Its logs and databases are read too. Where nothing is found in CloudTwo, the same search in CloudOne
must find something: a check that cannot fail checks nothing.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

import pytest
import requests

from openstackoid.lab import Lab
from openstackoid.lab.layout import PEERING_PORT, Cloud
from openstackoid.lab.service_types import SERVICES
from openstackoid.trust import key_files, tokens

from .evidence import is_accepted, stored, tokens_in, unwrapped
from .marked import CLIENT_ADDRESSES, NAME, PASSWORD, PROJECT, TELLING, Marked
from .tools import Config, reconfigured
from .wire import Recorder, Tape


@dataclass(frozen=True)
class Seen:
    """What was said; `doors`: between clouds; `one`, `two`: to and by the services of these, and what is kept there."""

    user: Marked
    doors: bytes
    one: bytes
    two: bytes


def address(url: str) -> tuple[str, int]:
    where = urlsplit(url)
    return where.hostname or "", where.port or 0


def beside(host: str, last: int) -> str:
    return f"{host.rpartition('.')[0]}.{last}"


def recorded(cloud: Cloud) -> dict[str, str]:
    """Where recorders stand, each before a service."""
    host = beside(cloud.backend_host, 5)
    return {kind: f"http://{host}:{service.port}" for kind, service in SERVICES.items()}


def change(cloud: Cloud, config: Config) -> None:
    for kind, url in recorded(cloud).items():
        config["services"][kind]["backend"] = url
    config["trust"]["account"]["auth_url"] = recorded(cloud)["identity"] + "/v3"
    config["peering"]["listen"] = f"{beside(cloud.backend_host, 6)}:{PEERING_PORT}"
    for peer in config["peers"].values():
        peer["allow"] |= {"pseudonyms": True, "project_pseudonyms": True}


@pytest.fixture(scope="module")
def seen(lab: Lab) -> Seen:
    tapes = {name: Tape() for name in lab.clouds}
    doors = Tape()
    changes = {name: partial(change, cloud) for name, cloud in lab.clouds.items()}
    with closing(Recorder()) as services, reconfigured(lab, **changes), closing(Recorder()) as peers:
        for cloud in lab.clouds.values():
            for kind, url in recorded(cloud).items():
                services.record(tapes[cloud.name], address(url), address(cloud.backend(kind)))
            door, certificate = address(cloud.peering), (cloud.certificate, cloud.certificate_key)
            peers.record(doors, door, (beside(door[0], 6), door[1]), certificate)
        user = Marked(lab)
        user.everything()
    one, two = (bytes(tapes[name]) + stored(lab.clouds[name]) for name in ("CloudOne", "CloudTwo"))
    return Seen(user, bytes(doors), one, two)


def accepted(cloud: Cloud, found: set[str]) -> set[str]:
    with ThreadPoolExecutor(4) as pool:
        opened = pool.map(lambda token: (token, is_accepted(cloud, token)), found)
        return {token for token, taken in opened if taken}


def test_no_token_of_home_arrives(lab: Lab, seen: Seen) -> None:
    one = lab.clouds["CloudOne"]
    arrived = tokens_in(seen.doors) | tokens_in(seen.two)
    assert len(arrived) > 20, "the recorders saw next to nothing"
    assert any(tokens.is_federated(token) for token in arrived)
    assert any(token.startswith("gAAAA") for token in arrived), "CloudTwo's own services have tokens, too"
    assert accepted(one, arrived) == set()
    assert seen.user.token in accepted(one, tokens_in(seen.one)), "the search finds nothing even where tokens are"


def test_no_service_token_crosses(seen: Seen) -> None:
    header = b"x-service-token:"
    assert header in seen.one.lower(), "CloudOne's nova sends none"
    assert header not in seen.doors.lower()


def test_nothing_tells_who_the_user_is(seen: Seen) -> None:
    words = [NAME, PROJECT, PASSWORD, seen.user.user, seen.user.project, *CLIENT_ADDRESSES]
    kept_from = {word: b"\n".join(unwrapped(seen.doors + seen.two)).count(word.encode()) for word in words}
    assert kept_from == dict.fromkeys(words, 0)
    assert all(word.encode() in seen.one for word in words if word != PASSWORD)
    assert all(value.encode() in seen.one for value in TELLING.values() if NAME in value)


def test_federated_tokens_are_nothing_at_home_but_in_the_right_hands(lab: Lab, seen: Seen) -> None:
    """Whoever reads one in CloudTwo has no use for it in CloudOne: only CloudTwo's gateway can bring it, for what the agreement says."""
    one = lab.clouds["CloudOne"]
    token = next(
        token
        for token in tokens_in(seen.doors)
        if tokens.is_federated(token)
        and token.count(".") == 2  # one may have been cut in two where connections were recorded at once
        and len(token.rpartition(".")[2]) == 86
        and tokens.issuer(token) == ("CloudOne", "CloudTwo")
        and b'"*":"CloudOne"' in b"".join(unwrapped(token.encode()))
    )

    def bring(path: str, bearer: str | None = None, method: str = "GET") -> int:
        headers = {"X-Auth-Token": token}
        if bearer:
            ours = key_files.read(lab.clouds[bearer].keys)
            headers["X-Openstackoid-Assertion"] = tokens.assertion(bearer, "CloudOne", ours, int(time.time()), 60)
        url = one.peering + path
        return requests.request(method, url, headers=headers, verify=str(one.ca), timeout=60, json={}).status_code

    assert bring("/image/v2/images") == 401
    assert bring("/image/v2/images", "CloudThree") == 401
    assert bring("/identity/v3/auth/projects", "CloudTwo") == 403
    assert bring("/image/v2/images", "CloudTwo", "POST") == 403
    assert bring("/compute/v2.1/servers", "CloudTwo") == 403
