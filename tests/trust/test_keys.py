"""Keys: who can read them, how they are changed without a gap, and whose word makes others believe them."""

import base64
import json
import stat
import subprocess
import sys
import time
import traceback
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import OctKey, OKPKey
from tests.trust.signing import claims
from tests.volume import volume

from openstackoid.core.errors import TokenError
from openstackoid.trust import key_files, tokens
from openstackoid.trust.keys import KEPT, OVERLAP, Keys, KeysError, fresh_keys
from openstackoid.trust.rings import (
    ALGORITHM,
    ENDORSEMENT,
    MOST_ENDORSEMENTS,
    MOST_KEYS,
    Ring,
    first_fingerprint,
    public,
)
from openstackoid.trust.sealing import seal, unseal

START = 1_900_000_000
DAY = 86400


def secrets_of(text: str) -> list[str]:
    """Everything in a file of keys that nobody may see."""
    found: list[str] = []

    def look(node: Any) -> None:
        if isinstance(node, dict):
            found.extend(value for name, value in node.items() if name in {"d", "k"})
            for value in node.values():
                look(value)
        elif isinstance(node, list):
            for value in node:
                look(value)

    look(json.loads(text))
    assert len(found) >= 4
    return found


def shown(error: BaseException) -> str:
    """All that a traceback with every cause and context would print."""
    return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


# The file.


def test_a_new_file_is_for_its_owner_alone_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    made = key_files.create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert key_files.read(path).fingerprint == made.fingerprint
    before = path.read_text()
    with pytest.raises(KeysError, match="openstackoid key rotate"):
        key_files.create(path)
    assert path.read_text() == before


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o601])
def test_a_file_that_others_can_read_is_refused_with_the_remedy(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "keys.json"
    key_files.create(path)
    path.chmod(mode)
    with pytest.raises(KeysError) as caught:
        key_files.read(path)
    assert f"chmod 600 {path}" in str(caught.value)
    assert f"{mode:o}" in str(caught.value)
    with pytest.raises(KeysError):
        key_files.rotate(path)
    path.chmod(0o600)
    key_files.read(path)


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(KeysError, match="openstackoid key new"):
        key_files.read(tmp_path / "none.json")


def damaged(text: str) -> list[bytes]:
    whole = json.loads(text)
    cut = [
        {name: value for name, value in whole.items() if name != gone}
        for gone in ("signing", "sealing", "pseudonyms", "inner")
    ]
    public_only = json.loads(text)
    del public_only["signing"][0]["key"]["d"]
    ill = [json.loads(text) for _ in range(5)]
    ill[0]["signing"][0]["from"] = "soon"
    ill[1]["signing"] = []
    ill[2]["sealing"][0]["key"]["k"] = "A" * 32
    ill[3]["inner"]["k"] = "A" * 32
    ill[4]["signing"][0]["key"]["d"] = "AAAA"
    documents = [*cut, public_only, *ill, [], "x", None]
    return [
        *(json.dumps(document).encode() for document in documents),
        *(text[:-1].encode(), text[: len(text) // 2].encode(), text.encode() + b"\xff\xfe", b"", b"[" * 100_000),
    ]


def test_what_is_said_of_a_damaged_file_shows_nothing_of_it(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    key_files.create(path)
    text = path.read_text()
    for data in damaged(text):
        path.write_bytes(data)
        with pytest.raises(KeysError) as caught:
            key_files.read(path)
        told = "".join(traceback.format_exception(caught.value))
        assert not [secret for secret in secrets_of(text) if secret[:12] in told]
        assert caught.value.__cause__ is None
        assert str(path) in str(caught.value)


def test_no_key_stands_in_a_repr(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    made = key_files.create(path).rotated(int(time.time()))
    secrets = [*secrets_of(made.dump()), made.pseudonyms.hex(), repr(made.pseudonyms), repr(made.inner)]

    def opened() -> str:
        try:
            return unseal(f"{sealed[:-4]}AAAA", made)
        except TokenError as error:
            return shown(error)

    sealed = seal("x", made, time.time())
    for told in (repr(made), json.dumps(made.listed()), json.dumps(made.published(time.time())), opened()):
        assert len([secret for secret in secrets if secret in told]) == 0


def test_keys_come_from_a_variable_or_a_command_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "keys.json"
    made = key_files.create(path)
    monkeypatch.setenv("KEYS_OF_THE_TEST", path.read_text())
    assert key_files.load(None, "KEYS_OF_THE_TEST").fingerprint == made.fingerprint
    assert key_files.load(None, None, ["cat", str(path)]).fingerprint == made.fingerprint
    secret = secrets_of(path.read_text())[0]
    for command in (["false"], ["no-such-program"], ["echo", secret], ["sh", "-c", f"echo {secret} >&2; exit 3"]):
        with pytest.raises(KeysError) as caught:
            key_files.load(None, None, command)
        assert secret not in str(caught.value)
    with pytest.raises(KeysError, match="variable"):
        key_files.load(None, "NO_KEYS_OF_THE_TEST")
    with pytest.raises(KeysError):
        key_files.load(None)
    path.write_bytes(b"\xff")
    with pytest.raises(KeysError):
        key_files.load(None, None, ["cat", str(path)])


def test_a_rotation_that_is_killed_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    """Killed at every moment at which Python asks the system for something."""
    path = tmp_path / "keys.json"
    key_files.create(path)
    script = """if True:
        import os, pathlib, signal, sys
        from openstackoid.trust import key_files
        path = pathlib.Path(sys.argv[1])
        for moment in range(100):
            before = key_files.read(path)
            child = os.fork()
            if child == 0:
                left = [moment]
                def hook(name, arguments):
                    left[0] -= 1
                    if left[0] == -1:  # once: this is such a moment itself
                        os.kill(os.getpid(), signal.SIGKILL)
                sys.addaudithook(hook)
                key_files.rotate(path, compromised=True)
                os._exit(0)
            _, status = os.waitpid(child, 0)
            after = key_files.read(path)
            print(os.WIFSIGNALED(status), before.dump() != after.dump(), flush=True)
            if not os.WIFSIGNALED(status):
                break
    """
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[-1] == ["False", "True"]
    # Many moments before the change, and it is whole from the first moment at which it is seen.
    assert len(lines) > 5
    assert [changed for _, changed in lines] == sorted(changed for _, changed in lines)


# Rotation.


def test_a_rotation_publishes_first_and_signs_later() -> None:
    first = fresh_keys(START)
    second = first.rotated(START + DAY)
    begins = START + DAY + OVERLAP
    old, new = first.signing[0].kid, second.signing[-1].kid
    for sooner in (START + DAY, begins - 1):
        assert second.signer(sooner).kid == old
        assert second.sealer(sooner).kid == first.sealing[0].kid
    assert second.signer(begins).kid == new
    assert second.sealer(begins).kid == second.sealing[-1].kid != first.sealing[0].kid
    assert [key["kid"] for key in second.published(START + DAY)["keys"]["keys"]] == [old, new]
    assert [key["kid"] for key in second.published(begins)["keys"]["keys"]] == [new, old]
    assert first_fingerprint(second.published(begins)) == new
    assert [key["kid"] for key in second.published(begins + KEPT)["keys"]["keys"]] == [new]
    with pytest.raises(KeysError, match=rf"{new} is published and not used yet.* {OVERLAP} s"):
        second.rotated(START + DAY)
    second.rotated(begins)


@settings(max_examples=volume(60), deadline=None)
@given(
    st.lists(st.integers(OVERLAP, 40 * DAY), min_size=1, max_size=5),
    st.floats(0, 1),
    st.integers(-OVERLAP, tokens.LONGEST_LIFE + 14 * DAY),
    st.integers(0, 5),
)
def test_whoever_looked_at_any_moment_can_verify_what_was_signed_at_any_moment(
    pauses: list[int], share: float, later: int, pinned: int
) -> None:
    history = [(START, fresh_keys(START))]
    for pause in pauses:
        now = history[-1][0] + pause
        history.append((now, history[-1][1].rotated(now)))

    def at(when: int) -> Keys:
        return [keys for since, keys in history if since <= when or since == START][-1]

    signed = START + int((history[-1][0] + OVERLAP - START) * share)
    looked = max(START, signed + later)
    token = tokens.sign(claims(issued=signed, expires=signed + 300), at(signed))
    # Pinned by an operator who read it out before: a key of that time or an older one.
    pin = history[min(pinned, len([since for since, _ in history if since <= min(signed, looked)]) - 1)][1]
    fingerprint = pin.signing[0].kid
    ring = Ring(at(looked).published(looked), fingerprint)
    assert tokens.verify(token, ring.keys).issued == signed
    # And home still opens what it sealed.
    assert unseal(seal("secret", at(signed), signed), at(looked)) == "secret"


def test_a_chain_is_followed_as_far_as_it_is_published() -> None:
    now, keys = START, fresh_keys(START)
    first = keys.fingerprint
    for _ in range(MOST_KEYS):
        now += DAY
        keys = keys.rotated(now)
        assert keys.signing[-1].kid in Ring(keys.published(now), first).keys
        assert len(keys.published(now)["keys"]["keys"]) <= MOST_KEYS


def test_a_stolen_key_begins_a_new_chain() -> None:
    old = fresh_keys(START).rotated(START + DAY)
    new = old.rotated(START + DAY + 1, compromised=True)
    assert new.endorsements == ()
    assert {each.kid for each in new.signing}.isdisjoint({each.kid for each in old.signing})
    assert new.signer(START + DAY + 1).since == START + DAY + 1
    for each in old.signing:
        with pytest.raises(ValueError, match=new.signing[0].kid):
            Ring(new.published(START + DAY + 1), each.kid)
    with pytest.raises(TokenError):
        unseal(seal("secret", old, START + DAY), new)
    assert tokens.unmarked(tokens.marked("x", old), new) == ("x", False)
    assert tokens.pseudonym("u", "CloudTwo", old) == tokens.pseudonym("u", "CloudTwo", new)


# Whose word counts.


def endorsement(signer: OKPKey, fresh: Any, **header: Any) -> str:
    head = {"alg": ALGORITHM, "typ": ENDORSEMENT, "jwk": public(signer)} | header
    return jws.serialize_compact(head, json.dumps(fresh).encode(), signer, algorithms=[ALGORITHM])


def published(keys: list[OKPKey], endorsements: list[str]) -> dict[str, Any]:
    return {"keys": {"keys": [public(key) for key in keys]}, "endorsements": endorsements}


def test_an_endorsement_counts_only_as_it_was_signed() -> None:
    trusted, thief = OKPKey.generate_key(ALGORITHM), OKPKey.generate_key(ALGORITHM)
    pin = trusted.thumbprint()
    good = endorsement(trusted, public(thief))
    assert Ring(published([thief], [good]), pin).keys.keys() == {thief.thumbprint()}
    shared = OctKey.import_key(base64.urlsafe_b64decode(str(public(trusted)["x"]) + "="))
    head = {"typ": ENDORSEMENT, "jwk": public(trusted)}
    body = json.dumps(public(thief)).encode()
    none = ".".join([good.split(".")[0], good.split(".")[1], ""])
    forged = [
        endorsement(thief, public(thief)),
        endorsement(thief, public(thief), jwk=public(trusted)),
        endorsement(trusted, public(thief), typ=tokens.TYPE),
        endorsement(trusted, public(thief) | {"crv": "X25519"}),
        endorsement(trusted, [public(thief)]),
        jws.serialize_compact({**head, "alg": "HS256"}, body, shared, algorithms=["HS256"]),
        none,
        good[:-4] + "AAAA",
        tokens.sign(claims(), fresh_keys(START)),
    ]
    for text in forged:
        with pytest.raises(ValueError, match="no key there"):
            Ring(published([thief], [text]), pin)
        # What is good beside it still counts.
        assert Ring(published([trusted, thief], [text]), pin).keys.keys() == {pin}


def test_an_order_or_a_chain_of_others_adds_no_trust() -> None:
    chain = [OKPKey.generate_key(ALGORITHM) for _ in range(4)]
    links = [endorsement(old, public(new)) for old, new in pairwise(chain)]
    kids = [key.thumbprint() for key in chain]
    assert set(Ring(published(chain, links), kids[0]).keys) == set(kids)
    # Who trusts a later one does not trust those before it.
    assert set(Ring(published(chain, links), kids[2]).keys) == set(kids[2:])
    assert set(Ring(published(chain, links[::-1]), kids[0]).keys) <= set(kids)
    assert set(Ring(published(chain, links[1:]), kids[0]).keys) == {kids[0]}
    stranger = OKPKey.generate_key(ALGORITHM)
    theirs = endorsement(OKPKey.generate_key(ALGORITHM), public(stranger))
    assert stranger.thumbprint() not in Ring(published([*chain, stranger], [*links, theirs]), kids[0]).keys
    # What is endorsed and not published does not verify anything.
    assert set(Ring(published(chain[:1], links), kids[0]).keys) == {kids[0]}


def test_only_public_halves_are_kept() -> None:
    keys = fresh_keys(START)
    document = published([keys.signing[0].key], [])
    document["keys"]["keys"][0] |= {"d": "A" * 43, "alg": "none", "kid": "another"}
    ring = Ring(document, keys.fingerprint)
    assert [key.is_private for key in ring.keys.values()] == [False]


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(st.characters(exclude_categories=[])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
_BASE64 = st.text("ABCabc019-_", max_size=60)
_ENTRY = _JSON | st.fixed_dictionaries(
    {"kty": st.just("OKP") | _JSON, "crv": st.just("Ed25519") | _JSON, "x": st.just("A" * 43) | _BASE64 | _JSON}
)
_DOCUMENT = st.fixed_dictionaries(
    {
        "keys": _JSON | st.fixed_dictionaries({"keys": _JSON | st.lists(_ENTRY, max_size=20)}),
        "endorsements": _JSON | st.lists(_JSON | st.lists(_BASE64, min_size=3, max_size=3).map(".".join), max_size=18),
    }
)


@settings(max_examples=volume(150), deadline=None)
@given(_JSON | _DOCUMENT, st.just("A" * 43))
def test_a_ring_of_anything_is_a_value_error_and_nothing_else(document: Any, fingerprint: str) -> None:
    for read in (lambda: Ring(document, fingerprint), lambda: first_fingerprint(document)):
        try:
            read()
        except ValueError as error:
            assert str(error)  # noqa: PT017 - most of them raise, some do not


def test_what_nests_too_deep_is_refused_like_any_other() -> None:
    thief, keys = OKPKey.generate_key(ALGORITHM), fresh_keys(START)
    deep = jws.serialize_compact(
        {"alg": ALGORITHM, "typ": ENDORSEMENT, "jwk": {name: public(thief)[name] for name in ("kty", "crv", "x")}},
        b"[" * 1150,
        thief,
        algorithms=[ALGORITHM],
    )
    assert len(deep) < 2048
    header = base64.urlsafe_b64encode(b'{"a":' + b"[" * 1400).decode()
    for text in (deep, f"{header}.e30.AAAA"):
        assert Ring(published([keys.signing[0].key], [text]), keys.fingerprint).keys.keys() == {keys.fingerprint}


def test_a_flood_of_keys_is_refused() -> None:
    key = OKPKey.generate_key(ALGORITHM)
    with pytest.raises(ValueError, match=str(MOST_KEYS)):
        Ring(published([key] * (MOST_KEYS + 1), []), key.thumbprint())
    with pytest.raises(ValueError, match=str(MOST_ENDORSEMENTS)):
        Ring(published([key], ["x"] * (MOST_ENDORSEMENTS + 1)), key.thumbprint())
