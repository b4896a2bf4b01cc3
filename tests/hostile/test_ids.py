"""Ids that another cloud, or a user's directory, chooses: none is a word of a path, and rules are compared with what is really sent."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.owners import ALICE, DEMO, Owner, payload, plain, refusal
from tests.gateway.wire import Answer, ask
from tests.haproxy.world import Authority
from tests.hostile.honest import Honest, alone
from tests.hostile.programs import Peer, Visitor

from openstackoid.core import scope as scopes
from openstackoid.core.catalog import Cloud
from openstackoid.core.errors import ConfigError
from openstackoid.core.scope import Scope
from openstackoid.gateway.settings.loading import load
from openstackoid.trust import tokens
from openstackoid.trust.claims import Named

PROJECT = "3" * 32
RULES = [
    {"service": "compute", "method": "GET", "path": path}
    for path in ("/v2.1/flavors/*", "/v2.1/**/mine", f"/v2.1/{DEMO}/theirs", f"/v2.1/{PROJECT}/ours")
]
HOME = [{"service": "image", "method": "GET", "path": "/v2/0*"}]
GRANT = {"rules": RULES, "projects": f"one:{PROJECT}", "pseudonyms": True, "home": HOME}
WORDS = [
    "flavors",
    "servers",
    "a" * 31,
    "a" * 33,
    "A" * 32,
    "detail",
    "v2.1",
    ".",
    "%2e%2e",
    "a/b",
    "0" * 65,
    "default",
    "a" * 31 + "\n",
]


@pytest.fixture(scope="module")
def bound(hostile_folder: Path, peer_program: Peer, signer: Authority) -> Iterator[Honest]:
    """A cloud whose rules name ids, and whose users are pseudonyms to Mallory."""
    with alone(hostile_folder, peer_program, signer, allow=GRANT, name="CloudBound") as made:
        yield made


def visits(made: Honest, visitor: Visitor, path: str, **claims: Any) -> Answer:
    everything = {"scope": scope(made.cloud, "compute"), **claims}
    (came,) = visitor.asks(made.cloud, path, token=visitor.home.token(made.cloud, **everything))
    return came.answer


def scope(cloud: Owner, kind: str) -> Scope:
    return scopes.parse(json.dumps({"*": "Mallory", "identity": "Mallory", kind: cloud.name}))


def named(**changed: str) -> Named:
    given = {"id": "e" * 32, "name": "x", "domain_id": "default", "domain_name": "Default"}
    return Named(**(given | changed))


@pytest.mark.parametrize("word", WORDS)
def test_a_word_is_no_id(bound: Honest, visitor: Visitor, word: str) -> None:
    """With the project `flavors` a rule for flavors opened all that stands behind `/v2.1`."""
    project, user, domain = named(id=word), named(id=word), named(domain_id=word)
    before = len(bound.cloud["compute"].requests)
    wrong: list[dict[str, Named]] = [{"project": project}, {"user": user}]
    wrong += [] if word == "default" else [{"user": domain}, {"project": domain}]
    for claims in wrong:
        answer = visits(bound, visitor, f"/compute/v2.1/{word if word.isalnum() else 'flavors'}/servers", **claims)
        assert refusal(answer) == (401, "token.invalid")
    assert len(bound.cloud["compute"].requests) == before


@pytest.mark.parametrize(
    "claims",
    [
        {"user": named(id="f" * 64)},
        {
            "user": named(id="01234567-89ab-cdef-0123-456789abcdef"),
            "project": named(id="01234567-89ab-cdef-0123-456789abcdef"),
        },
        {"user": named(domain_id="Federated"), "project": named(domain_id="d" * 32)},
        {"user": named(domain_id="Mallory")},
    ],
)
def test_ids_of_every_keystone_are(bound: Honest, visitor: Visitor, claims: dict[str, Named]) -> None:
    assert visits(bound, visitor, "/compute/v2.1/flavors/1", **claims).status == 200


def test_rules_are_compared_with_the_ids_that_are_sent(bound: Honest, visitor: Visitor) -> None:
    mine = visits(bound, visitor, f"/compute/v2.1/{DEMO}/mine?project_id={DEMO}")
    assert (mine.status, mine.json["target"]) == (200, f"/v2.1/{PROJECT}/mine?project_id={PROJECT}")
    assert visits(bound, visitor, f"/compute/v2.1/{DEMO}/ours").status == 200
    assert bound.cloud["compute"].seen("/v2.1/").target == f"/v2.1/{PROJECT}/ours"
    # What came with home's id goes on with another one, which no rule names.
    assert refusal(visits(bound, visitor, f"/compute/v2.1/{DEMO}/theirs")) == (403, "agreement.rule")
    # An id that is found behind a word of its own cloud moves nothing else.
    for path in (f"/compute/v2.1/{DEMO}/servers", f"/compute/v2.1/{ALICE}/servers", "/compute/v2.1/servers"):
        assert refusal(visits(bound, visitor, path)) == (403, "agreement.rule")


def test_no_project_is_made_for_what_is_refused(gateway_alone: Honest, visitor: Visitor) -> None:
    project = named(id="c" * 32)
    claims = {"project": project, "scope": scope(gateway_alone.cloud, "placement")}
    assert refusal(visits(gateway_alone, visitor, "/placement/usages", **claims)) == (403, "agreement.rule")
    assert not gateway_alone.cloud["identity"].all("/v3/projects")


def pseudonymous(made: Honest) -> tuple[str, str]:
    """An id of our own user that begins with "f", and who that is to the peer: somebody whose id begins with "0"."""
    for number in range(4096):
        user = f"{0xF << 124 | number:032x}"
        if (other := tokens.pseudonym(user, "Mallory", made.cloud.keys)).startswith("0"):
            return user, other
    raise AssertionError("expected one of sixteen")


def issue(made: Honest, user: str, **more: Any) -> str:
    who = {"id": user, "name": "alice", "domain": {"id": "default", "name": "Default"}}
    return made.cloud.keystone.issue("alice", "member", user=who, **more)


def test_rules_of_an_application_credential_hold_for_what_is_sent(bound: Honest) -> None:
    """The user's id becomes a pseudonym on the way, and another path with it."""
    user, other = pseudonymous(bound)
    limits = [
        {"id": "x", "service": "image", "method": "GET", "path": path} for path in ("/v2/f*", "/v2/0*/x", "/v2/f*/x")
    ]
    limited = issue(bound, user, application_credential={"id": "c", "name": "c", "access_rules": limits})
    assert refusal(bound.ask(f"/v2/{user}", token=limited)) == (403, "token.scope")
    assert not bound.mallory.all(f"/image/v2/{other}")
    assert bound.ask(f"/v2/{user}/x", token=limited).status == 200
    assert bound.mallory.seen(f"/image/v2/{other}").target == f"/image/v2/{other}/x"


def test_home_rules_hold_for_what_is_sent(bound: Honest) -> None:
    """The peer asks with the pseudonym, our service gets the user's own id."""
    user, other = pseudonymous(bound)
    headers = {"X-Scope": json.dumps({"compute": "Mallory", "image": bound.cloud.name})}
    assert bound.ask("/v2.1/servers", "compute", headers, token=issue(bound, user)).status == 200
    federated = plain(bound.mallory.seen("/compute/v2.1/servers"))
    assert payload(federated)["sub"] == other

    def brings(path: str) -> Answer:
        return ask(bound.cloud.peering, path, bound.mallory.assertion(bound.cloud.name), token=federated)

    assert brings(f"/image/v2/0{other}").status == 200
    assert refusal(brings(f"/image/v2/{other}")) == (403, "agreement.rule")
    assert not bound.cloud["image"].all(f"/v2/{user}")


def test_a_user_whose_id_is_a_word_goes_nowhere_but_under_a_pseudonym(gateway_alone: Honest, bound: Honest) -> None:
    """LDAP's users in the default domain have such ids in Keystone."""
    answer = gateway_alone.ask("/v2/images", token=issue(gateway_alone, "jdoe"))
    assert refusal(answer) == (403, "token.scope")
    for part in ("user.id is 'jdoe'", "32 or 64 hex digits or a UUID", "--pseudonyms", "backward_compatible_ids"):
        assert part in answer.error
    assert bound.ask("/v2/images", token=issue(bound, "jdoe")).status == 200


NAMES = ["default", "Default", "federated", "d" * 32, "D" * 32, "d" * 64, "01234567-89ab-cdef-0123-456789abcdef"]


@pytest.mark.parametrize("name", NAMES)
def test_no_cloud_has_the_name_of_a_domains_id(bound: Honest, name: str) -> None:
    """It stands as the domain's id in the tokens of its users."""
    with pytest.raises(ValueError, match="would be taken for Keystone's domain of that id"):
        Cloud.from_json({"cloud": name, "version": 1, "services": {}})
    peer = bound.gateway.config["peers"]["Mallory"]
    for wrong in ({"cloud": name}, {"peers": {name: peer}}):
        file = bound.gateway.folder / "wrong.yaml"
        file.write_text(json.dumps(bound.gateway.config | wrong))
        with pytest.raises(ConfigError, match="would be taken for Keystone's domain of that id"):
            load(file)
