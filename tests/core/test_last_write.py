"""What members of a replica are made alike to: our record decides, and no other cloud's word about its time."""

from typing import Any

import pytest

from openstackoid.core.replication import kind_named
from openstackoid.core.replication.last_write import Written, model, set_by_create, set_by_update

NETWORK, IMAGE = kind_named("network.network"), kind_named("image.image")
AT = 1_800_000_000.0
RECORD = Written({"name": "ours"}, {"name": AT})
BEFORE, LATER = "2026-01-01T00:00:00Z", "2027-12-01T00:00:00Z"


def shown(name: str, at: str | None = BEFORE, **more: Any) -> dict[str, Any]:
    return {"name": name, "updated_at": at} | more


@pytest.mark.parametrize(
    ("members", "record", "source", "expected"),
    [
        # A cloud that lies about its time does not win; what no record has is of the entry cloud.
        ({"Entry": shown("ours"), "Evil": shown("evil", "9999-01-01T00:00:00Z")}, RECORD, None, ("Entry", "ours")),
        ({"Entry": shown("old"), "Evil": shown("evil", "9999-01-01T00:00:00Z")}, RECORD, None, ("Entry", "ours")),
        ({"Entry": shown("old"), "Evil": shown("evil", "9999-01-01T00:00:00Z")}, None, None, ("Entry", "old")),
        # The entry cloud's clock is ours.
        ({"Entry": shown("renamed", LATER), "Other": shown("ours")}, RECORD, None, ("Entry", "renamed")),
        ({"Entry": shown("ours", None), "Other": shown("x", "rubbish")}, RECORD, None, ("Entry", "ours")),
        # Without a member there: who shows what is on record; else the latest, with our values.
        ({"A": shown("other", LATER), "B": shown("ours")}, RECORD, None, ("B", "ours")),
        ({"A": shown("other", LATER), "B": shown("older")}, RECORD, None, ("A", "ours")),
        ({"A": shown("other", LATER), "B": shown("older")}, None, None, ("A", "other")),
        # A user names one.
        ({"Entry": shown("ours"), "B": shown("theirs")}, RECORD, "B", ("B", "theirs")),
    ],
)
def test_what_was_written_last(members: Any, record: Any, source: Any, expected: tuple[str, str]) -> None:
    base, resource = model(members, "Entry", record, source)
    assert (base, resource["name"]) == expected


def test_a_later_time_of_the_entry_cloud_counts_for_fields_that_were_changed_there() -> None:
    """The time is of the whole member: a field whose last write has not reached it was not changed there since."""
    record = Written({"name": "ours", "description": "ours"}, {"description": AT})
    entry = {"name": "old", "description": "mine", "admin_state_up": False, "updated_at": LATER}
    _, resource = model({"Entry": entry, "Other": shown("ours", description="ours")}, "Entry", record)
    assert resource == {"name": "ours", "description": "mine", "admin_state_up": False, "updated_at": LATER}
    _, resource = model({"Entry": entry | {"updated_at": BEFORE}}, "Entry", record)
    assert (resource["name"], resource["description"]) == ("ours", "ours")
    # Each field has a time of its own.
    record = Written(record.values, {"description": AT, "name": AT + 10**9})
    _, resource = model({"Entry": entry}, "Entry", record)
    assert (resource["name"], resource["description"]) == ("ours", "mine")


def test_values_take_the_form_in_which_the_service_shows_them() -> None:
    record = Written({"admin_state_up": "true", "description": "d"}, {})
    _, resource = model({"Entry": {"admin_state_up": False, "description": ""}}, "Entry", record)
    assert resource == {"admin_state_up": True, "description": "d"}


def test_the_record_has_what_creates_and_updates_set() -> None:
    first = set_by_create(NETWORK, {"network": {"name": "a", "shared": True, "admin_state_up": False}})
    assert first == {"name": "a", "admin_state_up": False}
    second = set_by_update(NETWORK, first, {"network": {"name": "b", "mtu": 9000}}, "")
    assert second == {"name": "b", "admin_state_up": False}
    image = set_by_create(IMAGE, {"name": "i", "tags": ["x"], "visibility": "public"})
    assert image == {"name": "i", "tags": ["x"]}
    patch = [{"op": "replace", "path": "/name", "value": "j"}, {"op": "add", "path": "/os", "value": "k"}]
    assert set_by_update(IMAGE, image, patch, "") == {"name": "j", "tags": ["x"]}
    assert set_by_update(IMAGE, image, None, "/tags/new") == {"name": "i"}, "the record does not know them now"
    assert set_by_create(NETWORK, {"network": {"name": "n" * 20_000, "description": "d"}}) == {"description": "d"}
