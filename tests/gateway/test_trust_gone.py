"""Projects that home has deleted: what stands for them at a provider is disabled, and does not count, until home knows them again."""

import json
import os
import secrets
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from tests.gateway.conftest import federated
from tests.gateway.owners import DOMAIN, Bare, Owner, refusal
from tests.gateway.wire import Answer, Gateway, Seen, ask, reply, scope, until

from openstackoid.gateway.federation.keystone_projects import TAG
from openstackoid.trust import tokens
from openstackoid.trust.projects import Mapped

PATH = "/openstackoid/v1/projects"
IN = "domain-of-others"
OFTEN: dict[str, Any] = {"recheck": 0, "check_projects": 0.25}
GRANT = {"services": ["network"], "projects": f"each:{IN}", "most_projects": 1}


@dataclass
class Clouds:
    """A provider with two homes: CloudSeven shows its projects' ids, CloudNine only pseudonyms. CloudBare is a home that lies."""

    seven: Owner
    nine: Owner
    eight: Owner
    bare: Bare
    at: dict[Owner, Gateway]

    def enter(self, home: Owner, project: str) -> Answer:
        """A request to the provider by a user of a home's project."""
        own = home.keystone.issue("alice", "member", project={"id": project, "name": "p", "domain": DOMAIN})
        return ask(self.at[home].url("network"), "/v2.0/networks", scope(network="CloudEight"), token=own)

    def project(self, home: Owner) -> str:
        """A new project of a home's."""
        made = secrets.token_hex(16)
        home.keystone.living.add(made)
        return made

    def held(self, party: str) -> list[Mapped]:
        store = self.eight.store
        try:
            return store.projects.held(party)
        finally:
            store.close()

    def clear(self, party: str) -> None:
        store = self.eight.store
        for mapped in store.projects.held(party):
            store.forget_project(party, mapped.foreign, "test")
        store.close()


@pytest.fixture(scope="module")
def clouds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clouds]:
    folder = tmp_path_factory.mktemp("gone")
    seven, nine, eight = (Owner(name, folder / name) for name in ("CloudSeven", "CloudNine", "CloudEight"))
    bare, hidden = Bare("CloudBare"), {"services": ["image"], "pseudonyms": True, "project_pseudonyms": True}
    peers = {
        seven: {"CloudEight": eight.entry({"services": ["image"]})},
        nine: {"CloudEight": eight.entry(hidden)},
        eight: {"CloudBare": bare.entry(GRANT)} | {home.name: home.entry(GRANT) for home in (seven, nine)},
    }
    with federated({owner: {"peers": peers[owner], **OFTEN} for owner in (seven, nine, eight)}) as started:
        agreed = [(seven, "CloudEight"), (nine, "CloudEight"), (eight, "CloudSeven"), (eight, "CloudNine")]
        until(lambda: all(at.known(started[at])[peer]["agreement"]["theirs"] == "active" for at, peer in agreed))
        yield Clouds(seven, nine, eight, bare, dict(started))
    bare.close()


@pytest.mark.parametrize("name", ["CloudSeven", "CloudNine"])
def test_what_home_deleted_is_disabled_and_comes_back_with_it(clouds: Clouds, name: str) -> None:
    home, keystone = (clouds.seven if name == "CloudSeven" else clouds.nine), clouds.eight.keystone
    first, second = clouds.project(home), clouds.project(home)
    assert clouds.enter(home, first).status == 200
    (mapped,) = clouds.held(name)
    assert (mapped.foreign == first) is (name == "CloudSeven")
    assert refusal(clouds.enter(home, second)) == (503, "agreement.project")  # one is agreed, and made
    home.keystone.living.remove(first)
    until(lambda: clouds.held(name)[0].gone)
    assert mapped.local in keystone.disabled
    assert keystone.tags[mapped.local] == [TAG]
    assert refusal(clouds.enter(home, first)) == (403, "agreement.frozen")
    assert clouds.enter(home, second).status == 200  # there is room
    home.keystone.living.add(first)
    until(lambda: not any(held.gone for held in clouds.held(name)))
    assert mapped.local not in keystone.disabled
    assert keystone.tags[mapped.local] == []
    assert clouds.enter(home, first).status == 200
    assert mapped.local in {held.local for held in clouds.held(name)}  # the same one
    clouds.clear(name)


def test_what_operators_disabled_stays_so(clouds: Clouds) -> None:
    project, keystone = clouds.project(clouds.seven), clouds.eight.keystone
    assert clouds.enter(clouds.seven, project).status == 200
    (mapped,) = clouds.held("CloudSeven")
    keystone.disabled.add(mapped.local)
    clouds.seven.keystone.living.remove(project)
    until(lambda: clouds.held("CloudSeven")[0].gone)
    clouds.seven.keystone.living.add(project)
    until(lambda: clouds.held("CloudSeven")[0].gone is None)
    assert mapped.local in keystone.disabled
    assert keystone.tags.get(mapped.local, []) == []
    keystone.disabled.clear()
    clouds.clear("CloudSeven")


def test_a_forgotten_project_is_enabled_when_its_own_returns(clouds: Clouds) -> None:
    project, keystone = clouds.project(clouds.seven), clouds.eight.keystone
    assert clouds.enter(clouds.seven, project).status == 200
    (mapped,) = clouds.held("CloudSeven")
    clouds.seven.keystone.living.remove(project)
    until(lambda: clouds.held("CloudSeven")[0].gone)
    clouds.clear("CloudSeven")
    clouds.seven.keystone.living.add(project)
    restart(clouds)  # gateways remember mappings
    assert clouds.enter(clouds.seven, project).status == 200
    assert [held.local for held in clouds.held("CloudSeven")] == [mapped.local]
    assert mapped.local not in keystone.disabled
    clouds.clear("CloudSeven")


def restart(clouds: Clouds) -> None:
    """Another gateway of the provider in the place of one that ended, or that ends now."""
    gateway = clouds.at[clouds.eight]
    gateway.process.send_signal(signal.SIGKILL)
    gateway.process.wait(30)
    gateway.process = Gateway(gateway.folder, gateway.config).process
    gateway.ready()
    until(lambda: clouds.eight.known(gateway)["CloudSeven"]["agreement"]["theirs"] == "active")


@pytest.mark.parametrize("back", [False, True])
def test_a_kill_between_keystone_and_the_database_is_made_good(clouds: Clouds, *, back: bool) -> None:
    project, keystone = clouds.project(clouds.seven), clouds.eight.keystone
    assert clouds.enter(clouds.seven, project).status == 200
    (mapped,) = clouds.held("CloudSeven")
    living, path = clouds.seven.keystone.living, f"/v3/projects/{mapped.local}"
    if back:
        living.remove(project)
        until(lambda: clouds.held("CloudSeven")[0].gone)
    done: list[str] = []

    def then_kill(seen: Seen, _: object) -> bytes | None:
        answer = keystone._one(seen, "project")
        if seen.method != "PATCH" or done:
            return answer
        done.append(seen.method)
        os.kill(clouds.at[clouds.eight].process.pid, signal.SIGKILL)
        return None

    keystone.upstream.on(path, then_kill)
    (living.add if back else living.remove)(project)
    until(lambda: done)
    assert (clouds.held("CloudSeven")[0].gone is not None) is back  # not recorded yet
    restart(clouds)
    until(lambda: (clouds.held("CloudSeven")[0].gone is None) is back)
    assert (mapped.local in keystone.disabled) is not back
    assert keystone.tags[mapped.local] == ([] if back else [TAG])
    del keystone.upstream.handlers[path]
    clouds.clear("CloudSeven")


def test_without_a_whole_answer_nothing_changes(clouds: Clouds) -> None:
    """Home's account is limited to a domain, gets a cut list, or its Keystone does not work."""
    project, upstream = clouds.project(clouds.seven), clouds.seven.keystone.upstream
    living = clouds.seven.keystone.living
    assert clouds.enter(clouds.seven, project).status == 200
    usual = dict(upstream.handlers)
    question = {"projects": [project]}
    for path, answer, status in (
        ("/v3/projects/", reply(403, {"error": {"code": 403}}), 502),
        ("/v3/projects", reply(200, {"projects": [], "truncated": True}), 502),
        ("/v3/projects", reply(500, {}), 502),
    ):
        upstream.on(path, answer)
        living.remove(project)
        told = answered(clouds, question)
        assert told.status == status, told.body
        living.add(project)
        upstream.handlers.clear()
        upstream.handlers.update(usual)
        assert clouds.held("CloudSeven")[0].gone is None
    living.remove(project)
    until(lambda: clouds.held("CloudSeven")[0].gone)
    clouds.clear("CloudSeven")


def asked(clouds: Clouds, question: Any, home: Owner | None = None) -> Answer:
    """Home's answer to the provider, which its gateway asks as well."""
    home = home or clouds.seven
    body, peer = json.dumps(question).encode(), clouds.eight.assertion(home.name)
    return ask(home.peering, PATH, peer, method="POST", body=body, token=None)


def answered(clouds: Clouds, question: Any, home: Owner | None = None) -> Answer:
    """The same, once it does not say that it was asked just before."""

    def answer() -> Answer | None:
        came = asked(clouds, question, home)
        return None if came.status == 429 else came

    found = until(answer)
    assert found is not None
    return found


def test_a_peer_learns_of_ids_that_it_names_in_the_form_that_it_knows(clouds: Clouds) -> None:
    living, other = clouds.project(clouds.nine), "0" * 32
    party = tokens.project_pseudonym(living, "CloudEight", clouds.nine.keys)
    question = {"projects": [living, party, other]}
    answer = answered(clouds, question, clouds.nine)
    assert (answer.status, answer.json) == (200, {"gone": [living, other]})
    plain = clouds.project(clouds.seven)
    answer = answered(clouds, {"projects": [plain, other]})
    assert answer.json == {"gone": [other]}


def test_home_is_strict(clouds: Clouds) -> None:
    good = {"projects": ["0" * 32]}
    answer = ask(clouds.seven.peering, PATH, method="POST", body=json.dumps(good).encode(), token=None)
    assert refusal(answer) == (401, "token.invalid")
    malformed: list[Any] = [
        [],
        {},
        {"projects": "x"},
        {"projects": [1]},
        {"projects": ["a/b"]},
        {"projects": ["x" * 65]},
    ]
    malformed += [{"projects": ["0"] * 10_001}, {"projects": [[["0"]]]}]
    for question in malformed:
        assert refusal(asked(clouds, question)) == (400, "request.malformed"), question
    answered(clouds, good)
    assert refusal(asked(clouds, good)) == (429, "agreement.rate")


@pytest.mark.parametrize(
    "answer",
    [
        *(reply(200, {"gone": None}), reply(200, []), reply(200, {"gone": [1]}), reply(200, b"{")),
        *(reply(500, {"gone": ["theirs"]}), reply(302, b"", {"Location": "/"}), reply(200, {"gone": ["theirs", {}]})),
        reply(200, {"gone": ["elsewhere"] * 9}),
        reply(200, b'{"gone": ' + b"[" * 500 + b"]" * 500 + b"}"),
    ],
)
def test_what_a_peer_answers_wrongly_means_nothing(clouds: Clouds, answer: bytes) -> None:
    store = clouds.eight.store
    clouds.seven.keystone.living.add("elsewhere")
    for party, foreign in (("CloudBare", "theirs"), ("CloudSeven", "elsewhere")):
        if store.projects.get(party, foreign) is None:
            store.projects.reserve(party, foreign, "1" * 32, 9)
            store.projects.bind(party, foreign, "1" * 32, secrets.token_hex(16))
    store.close()
    clouds.bare.on(PATH, answer)
    before = len(clouds.bare.all(PATH))
    until(lambda: len(clouds.bare.all(PATH)) >= before + 2)  # the second question comes after the first answer was read
    assert [mapped.gone for mapped in clouds.held("CloudBare")] == [None]
    assert [mapped.gone for mapped in clouds.held("CloudSeven")] == [None]
