"""`openstackoid peer`: what operators see and what becomes of it."""

import contextlib
import gzip
import os
import pwd
import shlex
import socket
import threading
import time
from pathlib import Path
from typing import Final

import pytest
from tests.operators.conftest import WELL_KNOWN, Desk, Peer

from openstackoid.gateway.operating import discovery
from openstackoid.trust.agreements import State
from openstackoid.trust.grants import ADMIN_WORD, HOME, Projects
from openstackoid.trust.rules import Rule

PASSWORD: Final = "marker-password"


def test_a_cloud_is_added_once_its_fingerprint_was_compared(desk: Desk, peer: Peer) -> None:
    done = desk.run("peer", "add", peer.url, "--service", "image", answer="y\n")
    assert done.code == 0, done.err
    for shown in (
        "CloudTwo",
        peer.fingerprint,
        "compute, image",
        "Is this the fingerprint that its operator told you?",
    ):
        assert shown in done.out
    assert "openstackoid peer allow CloudTwo" in done.out
    (made,) = desk.store.agreements()
    assert (made.peer, made.url, made.fingerprint) == ("CloudTwo", peer.url, peer.fingerprint)
    assert (made.state, made.grant.services) == (State.PROPOSED, ("image",))
    assert desk.store.known_keys("CloudTwo") == peer.keys.published(2e9)
    (event,) = desk.store.history()
    assert event.by == pwd.getpwuid(os.getuid()).pw_name


@pytest.mark.parametrize("answer", ["", "n\n", "\n", "maybe\n"])
def test_without_a_yes_nothing_is_added(desk: Desk, peer: Peer, answer: str) -> None:
    done = desk.run("peer", "add", peer.url, answer=answer)
    assert (done.code, desk.store.agreements()) == (1, [])
    assert "--fingerprint FP --yes" in done.err


def test_all_options_of_a_grant(desk: Desk, peer: Peer) -> None:
    options = (
        '--service image --rule "GET compute /v2.1/servers/**" --rule "POST compute /v2.1/servers" --role Member=member '
        '--role auditor=reader --projects each:default --most-projects 7 --rate 2.5 --home "GET image /v2/images/{id}" --pseudonyms --project-pseudonyms --allow'
    )
    done = desk.add(peer, *shlex.split(options))
    assert "Gateways take it within a second." in done.out
    (made,) = desk.store.agreements()
    grant = made.grant
    assert made.active
    assert grant.services == ("image",)
    assert grant.rules == (Rule("compute", "GET", "/v2.1/servers/**"), Rule("compute", "POST", "/v2.1/servers"))
    assert grant.roles == {"member": "member", "auditor": "reader"}
    assert (grant.projects, grant.most_projects) == (Projects("each", "default"), 7)
    assert (grant.rate, grant.pseudonyms, grant.project_pseudonyms) == (2.5, True, True)
    assert grant.home == (Rule("image", "GET", "/v2/images/{id}"),)
    assert [event.event for event in desk.store.history()] == ["add", "allow"]


def test_what_is_not_said_stays(desk: Desk, peer: Peer) -> None:
    desk.add(peer, "--service", "image", "--rate", "5", "--role", "member")
    assert desk.run("peer", "allow", "CloudTwo").code == 0
    assert desk.run("peer", "allow", "CloudTwo", "--service", "compute", "--service", "image").code == 0
    (made,) = desk.store.agreements()
    assert (made.grant.services, made.grant.rate, made.grant.roles) == (("compute", "image"), 5, {"member": "member"})
    done = desk.run("peer", "allow", "CloudTwo", "--service", "none", "--rate", "none", "--home", "none")
    assert "Nobody of theirs gets in with that: it allows no request" in done.out
    (made,) = desk.store.agreements()
    assert (made.grant.allows, made.grant.rate, made.grant.home, made.active) == ((), None, (), True)


def test_a_grant_of_nothing_is_legal_and_said(desk: Desk, peer: Peer) -> None:
    done = desk.add(peer, "--allow")
    assert "Nobody of theirs gets in with that: it allows no request: say --service or --rule" in done.out
    assert desk.store.agreements()[0].grant.home == HOME


def test_a_service_that_is_not_here_may_be_a_slip(desk: Desk, peer: Peer) -> None:
    assert "This cloud serves no imagee." in desk.add(peer, "--service", "imagee", "--service", "image").out


def test_suspended_allowed_removed(desk: Desk, peer: Peer) -> None:
    desk.add(peer, "--service", "image", "--allow")
    done = desk.run("peer", "suspend", "CloudTwo")
    assert "CloudTwo is suspended. Gateways take it within a second." in done.out
    assert desk.store.agreements()[0].state is State.SUSPENDED
    assert desk.run("peer", "allow", "CloudTwo").code == 0
    assert desk.store.agreements()[0].active
    desk.bind_project("theirs", "0123-ours")
    desk.bind_project("gone", "4567-ours")
    done = desk.run("peer", "forget", "CloudTwo", "gone", "never-there")
    assert done.code == 0
    assert "4567-ours" in done.out
    assert "never-there" in done.out
    assert desk.store.projects.all("CloudTwo") == [("theirs", "0123-ours")]
    assert desk.run("peer", "forget", "CloudTwo", "gone").code == 1
    assert desk.run("peer", "forget", "CloudNine", "gone").code == 1
    done = desk.run("peer", "remove", "CloudTwo", env={"SUDO_USER": "olga"})
    assert "CloudTwo is removed. Gateways take it within a second." in done.out
    assert "0123-ours" in done.out
    assert desk.store.agreements() == []
    told = desk.run("peer", "history", "-f", "value", "-c", "Event")
    assert told.out.split() == ["add", "allow", "suspend", "allow", "forget", "remove"]
    last = desk.run("peer", "history", "CloudTwo", "-f", "json").json[-1]
    assert (last["event"], last["by"], last["state"]) == ("remove", "olga", None)
    assert desk.run("peer", "history", "CloudNine").out == "no changes yet\n"


@pytest.mark.parametrize("name", ["default", "Federated", "d" * 32, "01234567-89ab-cdef-0123-456789abcdef"])
def test_a_peer_whose_name_is_a_domains_id(desk: Desk, peer: Peer, name: str) -> None:
    peer.publish(cloud=name)
    done = desk.ask("peer", "add", peer.url, "--fingerprint", peer.fingerprint, "--yes")
    assert done.code == 1
    assert f"a cloud named {name} would be taken for Keystone's domain of that id" in done.err
    assert desk.store.agreements() == []


@pytest.mark.parametrize("words", [["allow"], ["suspend"], ["remove"], ["show"], ["trust", "--fingerprint", "A" * 43]])
def test_a_peer_that_is_none(desk: Desk, peer: Peer, words: list[str]) -> None:
    desk.add(peer)
    done = desk.ask("peer", words[0], "CloudNine", *words[1:])
    assert (done.code, done.out) == (1, "")
    assert "CloudNine" in done.err
    assert "There are: CloudTwo." in done.err


# Lists.


def test_the_list_has_those_of_the_file_too(desk: Desk, peer: Peer) -> None:
    in_file = {"url": "https://cloudthree.example", "fingerprint": "A" * 43, "allow": {"services": ["volume"]}}
    desk.write(peers={"CloudThree": in_file, "CloudFour": {"url": "http://10.0.0.4:5000", "token": "pass-through"}})
    desk.add(peer, "--service", "image")
    rows = [line.split() for line in desk.run("peer", "list", "-f", "value").out.splitlines()]
    assert [row[:4] for row in rows] == [
        ["CloudFour", "active", "file", "pass-through"],
        ["CloudThree", "active", "file", "federated"],
        ["CloudTwo", "proposed", "database", "federated"],
    ]
    found = {each["name"]: each for each in desk.run("peer", "list", "-f", "json").json}
    assert found["CloudTwo"]["grant"]["services"] == ["image"]
    assert found["CloudTwo"]["agreement"] == desk.store.agreements()[0].id
    assert (found["CloudThree"]["from"], found["CloudFour"]["grant"]) == ("file", None)
    for words in (["allow"], ["suspend"], ["remove"], ["trust", "--fingerprint", "A" * 43]):
        done = desk.run("peer", words[0], "CloudThree", *words[1:])
        assert done.code == 1
        assert "Edit the file (peers.CloudThree)" in done.err
    shown = desk.run("peer", "show", "CloudThree")
    assert "file" in shown.out
    assert "volume" in shown.out


def test_a_peer_that_comes_to_stand_in_the_file_hides_the_other(desk: Desk, peer: Peer) -> None:
    desk.add(peer)
    desk.write(peers={"CloudTwo": {"url": "http://10.0.0.4:5000", "token": "pass-through"}})
    told = [(each["name"], each["from"]) for each in desk.run("peer", "list", "-f", "json").json]
    assert told == [("CloudTwo", "file"), ("CloudTwo", "database, hidden by the file")]
    done = desk.run("peer", "add", peer.url, "--fingerprint", peer.fingerprint, "--yes")
    assert done.code == 1
    assert "edit the file" in done.err


def test_without_trust_there_is_a_list_and_nothing_to_change(desk: Desk) -> None:
    del desk.config["trust"]
    desk.write(peers={"CloudFour": {"url": "http://10.0.0.4:5000", "token": "pass-through"}})
    assert "CloudFour" in desk.run("peer", "list").out
    assert desk.run("peer", "show", "CloudFour").code == 0
    done = desk.run("peer", "history")
    assert done.code == 1
    assert "expected a trust section" in done.err


def test_both_sides_are_shown(desk: Desk, peer: Peer) -> None:
    desk.add(peer, "--service", "image", "--allow")
    desk.bind_project("theirs", "ours")
    alone = desk.run("peer", "show", "CloudTwo").out
    assert "unknown: the gateway at" in alone
    agreement = {"ours": "active", "theirs": "suspended\x1b[2J", "offered_there": ["image", "network"]}
    entry = {"name": "CloudTwo", "state": "up", "error": None, "agreement": agreement}
    desk.gateway.says("/openstackoid/v1/peers", {"cloud": "CloudOne", "peers": [entry]})
    shown = desk.run("peer", "show", "CloudTwo").out
    assert peer.fingerprint in shown
    assert "image, network" in shown
    assert "suspended\\x1b[2J" in shown  # and the terminal stays as it is
    assert "\x1b" not in shown
    found = desk.run("peer", "show", "CloudTwo", "-f", "json").json
    assert found["gateway"] == entry
    assert (found["projects"], found["gone"]) == ({"theirs": "ours"}, {})
    assert desk.store.projects.mark("CloudTwo", "theirs", gone=True)
    assert "theirs is ours here, gone there since 20" in desk.run("peer", "show", "CloudTwo").out
    assert desk.run("peer", "show", "CloudTwo", "-f", "json").json["gone"]["theirs"].endswith("Z")
    desk.gateway.says("/openstackoid/v1/peers", {"peers": "none"})
    assert desk.run("peer", "show", "CloudTwo").code == 0


# Keys of peers.


def test_another_fingerprint_than_what_is_there(desk: Desk, peer: Peer) -> None:
    done = desk.run("peer", "add", peer.url, "--fingerprint", "B" * 43, "--yes")
    assert (done.code, desk.store.agreements() if (desk.folder / "trust.sqlite").exists() else []) == (1, [])
    assert "B" * 43 in done.err
    assert peer.fingerprint in done.err
    assert "Ask its operator" in done.err


def test_a_fingerprint_from_before_a_rotation_is_good(desk: Desk, peer: Peer) -> None:
    old = peer.fingerprint
    peer.keys = peer.keys.rotated(int(time.time()))
    peer.publish()
    done = desk.run("peer", "add", peer.url, "--fingerprint", old, "--yes")
    assert done.code == 0, done.err
    assert desk.store.agreements()[0].fingerprint == old


def test_a_compromised_key_is_replaced(desk: Desk, peer: Peer) -> None:
    desk.add(peer, "--service", "image", "--allow")
    old, peer.keys = peer.fingerprint, peer.keys.rotated(int(time.time()), compromised=True)
    peer.publish()
    done = desk.run("peer", "trust", "CloudTwo", "--fingerprint", old)
    assert done.code == 1
    assert peer.fingerprint in done.err
    assert desk.run("peer", "trust", "CloudTwo", "--fingerprint", peer.fingerprint).code == 0
    (made,) = desk.store.agreements()
    assert (made.fingerprint, made.active) == (peer.fingerprint, True)
    assert desk.store.known_keys("CloudTwo") is None
    peer.close()
    done = desk.run("peer", "trust", "CloudTwo", "--fingerprint", old)
    assert done.code == 0  # the operator's word counts while the peer is away
    assert "Not compared" in done.err


# What goes wrong.


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--yes", "--yes needs --fingerprint"),
        ("--fingerprint short", "43 characters of base64url"),
        ("--service No/Service", "services: expected service types such as image, got 'No/Service'"),
        ("--service identity", "identity is never shared"),
        ('--rule "GET image"', '--rule: expected "METHOD SERVICE PATH"'),
        ('--rule "BREW image /v2"', "expected a method of GET"),
        ('--home "GET image v2"', "--home: expected a path such as /v2/images/**"),
        ("--role admin", f"admin_roles: {ADMIN_WORD}"),
        ("--role member=Admin", ADMIN_WORD),
        ("--role =member", "--role: expected THEIRS or THEIRS=OURS"),
        ("--projects all", "--projects: expected same, one:PROJECT_ID or each:DOMAIN_ID (got 'all')"),
        ("--rate 0", "--rate"),
        ("--rate many", "--rate"),
        ("--service none --service image", "none goes with nothing else"),
    ],
)
def test_what_is_asked_wrongly(desk: Desk, peer: Peer, words: str, expected: str) -> None:
    done = desk.ask("peer", "add", peer.url, *shlex.split(words))
    assert (done.code, done.out) == (2, "")
    assert expected in done.err
    assert peer.seen == []


@pytest.mark.parametrize("fingerprint", ["-" + "A" * 42, "--config" + "A" * 35, "-h" + "A" * 41])
def test_a_fingerprint_may_begin_with_a_dash(desk: Desk, peer: Peer, fingerprint: str) -> None:
    done = desk.ask("peer", "add", peer.url, "--fingerprint", fingerprint, "--yes")
    assert done.code == 1
    assert f"no key there has the agreed fingerprint {fingerprint}" in done.err


def test_admins_of_others_need_the_word(desk: Desk, peer: Peer) -> None:
    desk.add(peer, "--role", "admin", "--admin-roles", ADMIN_WORD)
    assert desk.store.agreements()[0].grant.roles == {"admin": "admin"}


@pytest.mark.parametrize("url", ["http://cloudtwo.example", "cloudtwo", "https://user:pw@host", "ftp://host"])
def test_urls_that_are_none_for_peers(desk: Desk, url: str) -> None:
    done = desk.ask("peer", "add", url)
    assert done.code == 2
    assert "URL: expected" in done.err
    assert "pw" not in done.err.replace("cloudtwo", "")


def test_a_cloud_that_is_there_already_or_is_ourselves(desk: Desk, peer: Peer) -> None:
    desk.add(peer)
    done = desk.run("peer", "add", peer.url, "--fingerprint", peer.fingerprint, "--yes")
    assert done.code == 1
    assert "agreement with CloudTwo already" in done.err
    peer.publish(cloud="CloudOne")
    done = desk.run("peer", "add", peer.url, "--fingerprint", peer.fingerprint, "--yes")
    assert done.code == 1
    assert "which is this cloud" in done.err


def test_what_is_no_gateway_with_keys(desk: Desk, peer: Peer) -> None:
    def refused(expected: str) -> None:
        done = desk.run("peer", "add", peer.url, answer="y\n")
        assert (done.code, done.out) == (1, "")
        assert expected in done.err

    peer.publish(keys=None)
    refused("expected a JWK set")
    peer.publish(keys={"keys": []})
    refused("configured for federated peers")
    peer.publish(version=7)
    refused("version 1")
    peer.says(WELL_KNOWN, b"<html>")
    refused("expected a JSON object")
    peer.says(WELL_KNOWN, b"[" * 100000)
    refused("expected a JSON object")
    peer.says(WELL_KNOWN, b" " * ((1 << 20) + 1))
    refused("1 MiB at most")
    peer.publish()
    peer.says(WELL_KNOWN, gzip.compress(peer.answers[WELL_KNOWN][2]), headers={"Content-Encoding": "gzip"})
    refused("expected a JSON object")  # not unpacked: it could be large
    peer.says(WELL_KNOWN, {}, 302, {"Location": "/elsewhere"})
    refused("expected 200, got 302")
    assert "/elsewhere" not in [path for path, _ in peer.seen]
    peer.close()
    refused("Connection refused")
    assert not any("authorization" in {name.lower() for name in heads} for _, heads in peer.seen)


def test_a_host_that_no_resolver_takes_and_authorities_that_are_none(desk: Desk, peer: Peer) -> None:
    done = desk.ask("peer", "add", f"https://{'a' * 64}.example")
    assert (done.code, done.out) == (1, "")
    assert "its host is no name" in done.err
    (desk.folder / "ca.crt").write_text("none")
    desk.write(ca="ca.crt")
    done = desk.ask("peer", "add", peer.url)
    assert (done.code, done.out) == (1, "")
    assert "ca: expected certificates of authorities" in done.err


@pytest.mark.parametrize(
    "begin", [b"", b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"]
)
def test_a_cloud_that_sends_its_answer_byte_by_byte_is_given_up(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, begin: bytes
) -> None:
    """Each byte is in time, but not all: of the head, too."""
    monkeypatch.setattr(discovery, "_WHOLE", 1)
    left = threading.Event()

    def answer() -> None:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):
            connection.sendall(begin)
            for _ in range(300):
                connection.sendall(b"x" if begin else b"")
                if left.wait(0.2):
                    return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        thread = threading.Thread(target=answer)
        thread.start()
        done = desk.ask("peer", "add", f"http://127.0.0.1:{listener.getsockname()[1]}")
        left.set()
        thread.join()
    assert (done.code, done.out) == (1, "")
    assert "no whole answer within 1 s" in done.err


def test_the_configuration_is_wrong_or_missing(desk: Desk, tmp_path: Path) -> None:
    done = desk.run("peer", "list", "--config", str(tmp_path / "none.yaml"))
    assert (done.code, done.err) == (1, f"openstackoid: {tmp_path / 'none.yaml'}: No such file or directory\n")
    url = f"postgresql://gateway:{PASSWORD}@127.0.0.1:1/trust"
    desk.write(trust={"keys": "keys.json", "database_env": "TRUST_DATABASE"})
    done = desk.run("peer", "list")
    assert done.code == 1
    assert "TRUST_DATABASE is empty" in done.err
    done = desk.run("peer", "list", env={"TRUST_DATABASE": url})
    assert done.code == 1
    assert "postgresql+psycopg://gateway:***@127.0.0.1:1/trust" in done.err
    assert PASSWORD not in done.err


def test_the_help_teaches(desk: Desk) -> None:
    assert "openstackoid peer add https://" in desk.run("peer", "--help").out
    shown = desk.run("peer", "add", "--help").out
    assert '--rule "GET image /v2/images/**"' in shown
    assert desk.run("peer").code == 2
    for word in ("peer", "key", "audit", "gateway", "lab"):
        assert word in desk.run("--help").out
