"""An image is copied from one cloud to others: in one pass, verified, once, and whole or not at all."""

import hashlib
import json
import random
from typing import Any, Final

import pytest
from tests.gateway.replicated import STRANGER, World
from tests.gateway.stateful import CUT, LOST
from tests.gateway.wire import TOKEN, Answer, Seen, ask, reply, until

from openstackoid.core.replication.copying import COPY_OF, STATE

IMAGES: Final = "/v2/images"
DATA: Final = random.Random(1).randbytes(3_000_000)
ORIGIN: Final = "CloudTwo"


def image(trio: World, name: str, data: bytes = DATA, cloud: str = ORIGIN, **more: Any) -> str:
    """Put an image into a cloud."""
    state = trio.states[cloud]
    identifier = hashlib.md5(f"{name}{cloud}".encode(), usedforsecurity=False).hexdigest()
    document = {
        "id": identifier,
        "name": name,
        "disk_format": "raw",
        "container_format": "bare",
        "visibility": "public",
    }
    with state.lock:
        state.things[IMAGES][identifier] = document | {"os_hidden": False, "min_disk": 1, "tags": ["a"]} | more
        state.fill(state.things[IMAGES][identifier], data)
        state.things[IMAGES][identifier] |= more
    return identifier


def begin(trio: World, name: str, *to: str, source: str | None = ORIGIN, token: str = TOKEN) -> Answer:
    wish = {"image": name, "to": list(to)} | ({"from": source} if source else {})
    body = json.dumps(wish).encode()
    return ask(trio.gateway.url("image"), "/openstackoid/v1/copies", method="POST", body=body, token=token)


def show(trio: World, name: str, token: str = TOKEN) -> Answer:
    return ask(trio.gateway.url("image"), f"/openstackoid/v1/copies?id={name}", token=token)


def copied(trio: World, name: str, *to: str, source: str | None = ORIGIN) -> dict[str, Any]:
    """Copy, and wait for the end: cloud -> what is shown of it."""
    answer = begin(trio, name, *to, source=source)
    assert answer.status == 202, answer.body
    identifier = answer.json["copy"]["id"]
    until(lambda: show(trio, identifier).json["copy"]["done"])
    return {one["cloud"]: one for one in show(trio, identifier).json["copy"]["clouds"]}


def everywhere(trio: World, name: str) -> dict[str, list[dict[str, Any]]]:
    return {cloud: state.named(IMAGES, name) for cloud, state in trio.states.items()}


def test_a_copy_is_verified_and_shown_with_its_metadata(trio: World) -> None:
    original = image(trio, "whole", hw_disk_bus="scsi", kernel_id="k", owner="p", protected=True)
    answer = begin(trio, "whole", "CloudOne", "CloudThree")
    assert set(answer.json["copy"]["left"]) == {"kernel_id", "protected", "visibility"}
    clouds = copied(trio, "whole", "CloudOne", "CloudThree")
    for cloud in ("CloudOne", "CloudThree"):
        (copy,) = everywhere(trio, "whole")[cloud]
        assert trio.states[cloud].data[copy["id"]] == DATA
        assert (copy["os_hidden"], copy[COPY_OF], copy.get(STATE)) == (False, f"{ORIGIN}/{original}", None)
        assert (copy["hw_disk_bus"], copy["min_disk"], copy["tags"]) == ("scsi", 1, ["a"])
        assert not copy.keys() & {"kernel_id", "owner", "protected"}
        assert clouds[cloud]["id"] == copy["id"]


def test_an_image_is_copied_once_and_a_copy_of_a_copy_is_one_of_the_original(trio: World) -> None:
    original = image(trio, "once")
    first = copied(trio, "once", "CloudOne")
    assert first["CloudOne"]["state"] == "copied"
    both = copied(trio, "once", "CloudOne", "CloudThree")
    assert (both["CloudOne"]["state"], both["CloudThree"]["state"]) == ("there", "copied")
    assert both["CloudOne"]["id"] == first["CloudOne"]["id"]
    again = copied(trio, first["CloudOne"]["id"], "CloudTwo", "CloudThree", source=None)
    assert {cloud: one["id"] for cloud, one in again.items()} == {
        "CloudTwo": original,
        "CloudThree": both["CloudThree"]["id"],
    }
    assert {one["state"] for one in again.values()} == {"there"}
    assert all(len(images) == 1 for images in everywhere(trio, "once").values())


def test_clouds_with_other_hashes_are_compared_by_their_data(trio: World) -> None:
    trio.states["CloudThree"].algorithm = "sha256"
    try:
        image(trio, "hashes")
        assert copied(trio, "hashes", "CloudThree")["CloudThree"]["state"] == "copied"
        assert copied(trio, "hashes", "CloudThree")["CloudThree"]["state"] == "there"
    finally:
        trio.states["CloudThree"].algorithm = "sha512"


def test_data_that_is_not_what_its_cloud_shows_reaches_nobody(trio: World) -> None:
    identifier = image(trio, "wrong")
    trio.states[ORIGIN].data[identifier] = DATA[:-1] + b"!"
    before = len(trio.clouds["CloudOne"]["image"].requests)
    clouds = copied(trio, "wrong", "CloudOne")
    assert (clouds["CloudOne"]["state"], clouds["CloudOne"]["error"]) == ("failed", "peer.answer")
    assert everywhere(trio, "wrong")["CloudOne"] == []
    since = trio.clouds["CloudOne"]["image"].requests[before:]
    assert not any(seen.whole for seen in since if seen.method == "PUT")


def test_data_that_arrives_wrong_is_deleted_and_sent_again(trio: World) -> None:
    image(trio, "bent")
    state = trio.states["CloudThree"]
    left = [1]

    def bend(seen: Seen, _name: str) -> None:
        if seen.method == "PUT" and left[0]:
            left[0] -= 1
            state.fill(state.things[IMAGES][seen.target.split("/")[3]], DATA[:1000])

    state.after = bend
    clouds = copied(trio, "bent", "CloudThree", "CloudOne")
    assert {one["state"] for one in clouds.values()} == {"copied"}
    (copy,) = everywhere(trio, "bent")["CloudThree"]
    assert state.data[copy["id"]] == DATA


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_an_answer_that_is_lost_after_its_effect_doubles_nothing(trio: World, method: str) -> None:
    image(trio, f"lost-{method}")
    trio.fail("CloudThree", method, LOST, after=True)
    clouds = copied(trio, f"lost-{method}", "CloudThree")
    assert clouds["CloudThree"]["state"] == "copied"
    (copy,) = everywhere(trio, f"lost-{method}")["CloudThree"]
    assert (copy["os_hidden"], copy["status"]) == (False, "active")
    shown = f"{IMAGES}/{copy['id']}"
    deleted = [seen.target for seen in trio.clouds["CloudThree"]["image"].all(shown) if seen.method == "DELETE"]
    assert deleted == [], "what somebody may use already stays"


def test_a_source_that_is_cut_begins_anew(trio: World) -> None:
    identifier = image(trio, "cut")
    left = [1]

    def cut(seen: Seen, _name: str) -> bytes | None:
        if seen.target == f"{IMAGES}/{identifier}/file" and left[0]:
            left[0] -= 1
            whole = reply(200, DATA, {"Content-Type": "application/octet-stream"})
            return CUT + whole[: len(DATA) // 2]
        return None

    trio.states[ORIGIN].before = cut
    clouds = copied(trio, "cut", "CloudOne", "CloudThree")
    assert {one["state"] for one in clouds.values()} == {"copied"}
    assert [len(images) for images in everywhere(trio, "cut").values()] == [1, 1, 1]


def test_a_cloud_that_refuses_or_is_away_does_not_stop_the_others(trio: World) -> None:
    image(trio, "partly")
    trio.fail("CloudThree", "PUT", reply(413, {"error": {"message": "quota"}}))
    clouds = copied(trio, "partly", "CloudOne", "CloudThree", "Dead")
    assert {cloud: one["state"] for cloud, one in clouds.items()} == {
        "CloudOne": "copied",
        "CloudThree": "failed",
        "Dead": "failed",
    }
    assert clouds["CloudThree"]["error"] == "status.413"
    assert "quota" in clouds["CloudThree"]["message"]
    assert [len(images) for images in everywhere(trio, "partly").values()] == [1, 1, 0]


def test_half_an_image_is_deleted_when_its_cloud_is_back(trio: World) -> None:
    image(trio, "half")
    away = [False]

    def rule(seen: Seen, _name: str) -> bytes | None:
        away[0] |= seen.method == "PUT" and seen.target.endswith("/file")
        return reply(503, {}) if away[0] else None

    trio.states["CloudThree"].before = rule
    answer = begin(trio, "half", "CloudThree")
    identifier = answer.json["copy"]["id"]
    until(lambda: show(trio, identifier).json["copy"]["clouds"][0]["error"])
    (incomplete,) = everywhere(trio, "half")["CloudThree"]
    assert incomplete["os_hidden"], "nobody may take it for an image"
    other = begin(trio, "half", "CloudOne")
    assert (other.status, other.code) == (409, "replica.busy")
    trio.states["CloudThree"].before = lambda _seen, _name: None
    until(lambda: show(trio, identifier).json["copy"]["done"])
    (complete,) = everywhere(trio, "half")["CloudThree"]
    assert (complete["os_hidden"], trio.states["CloudThree"].data[complete["id"]]) == (False, DATA)


def test_what_carries_a_mark_and_is_no_incomplete_copy_is_never_deleted(trio: World) -> None:
    """Nova hands the properties of an image on to snapshots."""
    original = image(trio, "kept")
    snapshot = image(trio, "snapshot", b"other", "CloudThree", **{COPY_OF: f"{ORIGIN}/{original}"})
    running = image(
        trio,
        "running",
        b"other",
        "CloudThree",
        **{COPY_OF: f"{ORIGIN}/{original}", STATE: "CloudNine/1", "os_hidden": True},
    )
    assert copied(trio, "kept", "CloudThree")["CloudThree"]["state"] == "copied"
    assert {snapshot, running} <= trio.states["CloudThree"].things[IMAGES].keys()


@pytest.mark.parametrize(
    ("wish", "status", "code"),
    [
        ({"image": "none", "to": ["CloudOne"], "from": ORIGIN}, 404, "copy.image"),
        ({"image": "none", "to": ["Nowhere"]}, 400, "cloud.unknown"),
        ({"image": "none", "to": ["CloudTwo"], "from": "a/b"}, 400, "cloud.unknown"),
        ({"image": "none", "to": []}, 400, "request.malformed"),
        ({"image": "none", "to": [ORIGIN], "from": ORIGIN}, 400, "request.malformed"),
        ({"image": 1, "to": ["CloudTwo"]}, 400, "request.malformed"),
        ([], 400, "request.malformed"),
    ],
)
def test_what_cannot_be_copied_is_refused(trio: World, wish: Any, status: int, code: str) -> None:
    path, body = "/openstackoid/v1/copies", json.dumps(wish).encode()
    answer = ask(trio.gateway.url("image"), path, method="POST", body=body)
    assert (answer.status, answer.code) == (status, code)


def test_an_image_without_data_is_refused_and_so_is_a_name_of_two(trio: World) -> None:
    image(trio, "queued", status="queued")
    answer = begin(trio, "queued", "CloudOne")
    assert (answer.status, answer.code) == (400, "replica.request")
    twin = image(trio, "twin")
    with trio.states[ORIGIN].lock:
        things = trio.states[ORIGIN].things[IMAGES]
        things["other"] = things[twin] | {"id": "other"}
    answer = begin(trio, "twin", "CloudOne")
    assert (answer.status, answer.code) == (409, "scope.ambiguous")


def test_a_copy_is_its_callers_alone(trio: World) -> None:
    image(trio, "mine")
    identifier = begin(trio, "mine", "CloudOne").json["copy"]["id"]
    assert show(trio, identifier, STRANGER).code == "copy.missing"
    assert ask(trio.gateway.url("image"), "/openstackoid/v1/copies?id=x", token=None).status == 401
