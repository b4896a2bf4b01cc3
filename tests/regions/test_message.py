"""Signed messages: read again as they were written, refused when anything of them is another."""

import json
import time

import pytest
from tests.regions.negotiating import TERMS, TIME, pair

from openstackoid.core.errors import TrustError
from openstackoid.regions.objects import message as messages
from openstackoid.regions.objects.message import Message
from openstackoid.regions.objects.states import ContractEvent
from openstackoid.trust import base64url, signatures
from openstackoid.trust.keys import fresh_keys
from openstackoid.trust.rings import Ring

NOW = int(time.time())
KEYS, OTHERS = fresh_keys(NOW), fresh_keys(NOW)
PUBLIC = Ring(KEYS.published(NOW), KEYS.fingerprint).keys
REQUEST = pair()[1].cause(ContractEvent.REQUEST, TIME, TERMS, "please").ours[0]
SIGNED = messages.sign(REQUEST, KEYS, NOW)


def test_a_message_is_read_as_it_was_written() -> None:
    assert messages.sender(SIGNED) == "CloudA"
    assert Message.from_json(messages.verify(SIGNED, PUBLIC)) == REQUEST


def test_keys_of_another_cloud_do_not_count() -> None:
    with pytest.raises(TrustError, match="does not publish"):
        messages.verify(messages.sign(REQUEST, OTHERS, NOW), PUBLIC)


def test_every_character_counts() -> None:
    for place in range(0, len(SIGNED), 7):
        changed = SIGNED[:place] + ("A" if SIGNED[place] != "A" else "B") + SIGNED[place + 1 :]
        with pytest.raises(TrustError):
            messages.verify(changed, PUBLIC)


def test_another_kind_of_signed_document_is_no_message() -> None:
    with pytest.raises(TrustError, match="of type"):
        messages.verify(signatures.sign({"iss": "CloudA"}, "other+jws", KEYS.signer(NOW)), PUBLIC)


@pytest.mark.parametrize(
    "text", ["", "a.b", "....", "x" * (messages.LONGEST + 1), "eyJhIjoxfQ.eyJhIjoxfQ.AAAA", "é.é.é"]
)
def test_texts_that_are_no_messages_are_refused(text: str) -> None:
    with pytest.raises(TrustError, match="Expected a JWS"):
        messages.sender(text)


@pytest.mark.parametrize("payload", ['{"iss":"A","iss":"B"}', "[]", '{"a":NaN}', "[" * 100_000, "\xff"])
def test_payloads_that_two_could_read_differently_are_refused(payload: str) -> None:
    header = base64url.encode(json.dumps({"typ": messages.TYPE}).encode())
    with pytest.raises(TrustError, match="no JSON object"):
        messages.sender(f"{header}.{base64url.encode(payload.encode('latin-1'))}.AAAA")
