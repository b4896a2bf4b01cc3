"""What is waited for, over the names that services have for it."""

import pytest

from oaktree.v1.common_pb2 import Condition
from oaktree.v1.location_pb2 import Location
from oaktree.v1.resource_pb2 import Resource
from openstackoid.oaktree.resources.kinds import Kind, Kinds
from openstackoid.oaktree.watches.conditions import FailedError, parse
from openstackoid.oaktree.watches.states import State, state

KINDS = Kinds()


def kind(name: str) -> Kind:
    found = KINDS.get(name)
    assert found is not None
    return found


def at(name: str, **raw: object) -> State:
    return state(kind(name), "one", Location(cloud="One", region="R"), {"id": "x", **raw})


@pytest.mark.parametrize(
    ("name", "raw", "wanted"),
    [
        ("compute.server", {"status": "ACTIVE"}, "active"),
        ("block_storage.volume", {"status": "in-use"}, "In-Use"),
        ("orchestration.stack", {"stack_status": "CREATE_COMPLETE"}, "CREATE_COMPLETE"),
        ("load_balancer.load_balancer", {"provisioning_status": "ACTIVE", "operating_status": "OFFLINE"}, "ACTIVE"),
        ("baremetal.node", {"provision_state": "clean wait"}, "CLEAN WAIT"),
    ],
)
def test_a_status_is_found_where_its_service_has_it(name: str, raw: dict[str, str], wanted: str) -> None:
    until = parse(kind(name), Condition(status=wanted))
    codec = kind(name).codec(Resource)
    assert until.met(at(name, **raw), codec)
    assert not until.met(at(name, **dict.fromkeys(raw, "other")), codec)
    assert not until.met(at(name), codec)


@pytest.mark.parametrize(
    ("name", "raw", "told"),
    [
        ("compute.server", {"status": "ERROR", "fault": {"message": "No valid host"}}, "No valid host"),
        ("compute.server", {"status": "ERROR"}, "does not say why"),
        ("block_storage.volume", {"status": "error_deleting"}, "error_deleting"),
        ("orchestration.stack", {"stack_status": "CREATE_FAILED", "stack_status_reason": "quota"}, "quota"),
        ("baremetal.node", {"provision_state": "deploy failed", "last_error": "no power"}, "no power"),
        ("image.image", {"status": "killed"}, "killed"),
    ],
)
def test_an_error_ends_the_wait_and_is_told(name: str, raw: dict[str, object], told: str) -> None:
    failure = parse(kind(name), Condition(status="ACTIVE")).failure(at(name, **raw))
    assert isinstance(failure, FailedError)
    assert told in str(failure)
    assert "One/R" in str(failure)
    assert parse(kind(name), Condition(gone=True)).failure(at(name, **raw)) is None


@pytest.mark.parametrize("status", ["ACTIVE", "BUILD", "failover_in_progress", "errata", ""])
def test_other_statuses_are_waited_through(status: str) -> None:
    assert (
        parse(kind("compute.server"), Condition(status="SHUTOFF")).failure(at("compute.server", status=status)) is None
    )


def test_a_query_that_meets_other_types_does_not_hold() -> None:
    until = parse(kind("compute.server"), Condition(query="contains(attributes.description, 'x')"))
    codec = kind("compute.server").codec(Resource)
    assert not until.met(at("compute.server"), codec)
    assert until.met(at("compute.server", description="xyz"), codec)
