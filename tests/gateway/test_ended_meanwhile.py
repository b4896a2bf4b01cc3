"""What ends while a request is under way: the service, which is told only that the token is not valid, answers 401, and the gateway says why."""

import dataclasses
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from tests.gateway.conftest import Owners
from tests.gateway.owners import refusal
from tests.gateway.test_regions import PROVIDER, arrives, contract, in_use, put, visit, visitor
from tests.gateway.wire import Answer, Seen, ask, reply

from openstackoid.trust import tokens
from openstackoid.trust.contracts import ContractGrant, GrantState

REJECTED = {
    "error": {"code": 401, "title": "Unauthorized", "message": "The request you have made requires authentication."}
}


@dataclass
class Visit:
    """A user's next request, in whose midst something ends."""

    owners: Owners
    under: ContractGrant
    project: str

    def while_(self, ends: Callable[[], object], *, inner: bool = False) -> Answer:
        """The answer to a request, while the service waits for this to end and then rejects the token."""

        def rejected(_: Seen, __: socket.socket) -> bytes:
            ends()
            return reply(401, REJECTED, {"WWW-Authenticate": 'Keystone uri="http://cloudtwo.example"'})

        path = f"/v2/images/{self.under.id}-ends"
        token = visitor(self.owners, self.under)
        self.owners.two["image"].on(path, rejected)
        if inner:
            marked = tokens.marked(token, self.owners.two.keys)
            return ask(self.owners.at_two.url("image"), path, token=marked)
        return visit(self.owners, token, f"/image{path}")


@pytest.fixture
def guest(owners: Owners) -> Iterator[Visit]:
    under = contract("CloudOne", PROVIDER)
    with in_use(owners.two, under):
        yield Visit(owners, under, arrives(owners, under, f"/image/v2/images/{under.id}"))


@pytest.mark.parametrize("inner", [False, True])
def test_a_contract_that_is_suspended_meanwhile(guest: Visit, inner: bool) -> None:
    suspended = dataclasses.replace(guest.under, state=GrantState.SUSPENDED)
    answer = guest.while_(lambda: put(guest.owners.two, suspended), inner=inner)
    assert refusal(answer) == (403, "contract.suspended")


def test_a_contract_that_is_over_meanwhile(guest: Visit) -> None:
    assert refusal(guest.while_(lambda: put(guest.owners.two))) == (403, "agreement.missing")


def test_a_project_that_is_disabled_meanwhile(guest: Visit) -> None:
    """The gateway asks Keystone again, though its last answer would count for minutes."""
    disabled = guest.owners.two.keystone.disabled
    try:
        assert refusal(guest.while_(lambda: disabled.add(guest.project))) == (403, "agreement.frozen")
    finally:
        disabled.discard(guest.project)


def test_what_only_the_service_knows_is_passed_on(guest: Visit) -> None:
    answer = guest.while_(lambda: None)
    assert (answer.status, answer.json) == (401, REJECTED)
