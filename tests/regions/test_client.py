"""The stock client's commands for virtual regions, against two real control planes."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from tests import commands
from tests.regions.door import ADMIN, READER
from tests.regions.planes import Plane, in_state, terms, two_planes

ROOT: Final = Path(__file__).parents[2]
CLIENT: Final = str(Path(sys.executable).with_name("openstack"))


@pytest.fixture
async def planes(tmp_path: Path) -> AsyncIterator[tuple[Plane, Plane]]:
    async with two_planes(tmp_path) as found:
        yield found


async def openstack(plane: Plane, *words: str, token: str = ADMIN) -> Any:
    """What a command prints as JSON; its error if it fails."""
    command = [CLIENT, "--os-auth-type", "admin_token", "--os-endpoint", plane.url, "--os-token", token, *words]
    done = await asyncio.to_thread(
        commands.run, [*command, "-f", "json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    return json.loads(done.stdout) if done.returncode == 0 else done.stderr


async def test_a_region_is_offered_and_a_contract_negotiated_by_commands(
    planes: tuple[Plane, Plane], tmp_path: Path
) -> None:
    provider, consumer = planes
    declared = str(ROOT / "examples" / "virtual-region.yaml")
    options = (
        "--service",
        "image",
        "--service",
        "compute",
        "--quota",
        "cores=8",
        "--flavor",
        "1",
        "--declare",
        declared,
    )
    made = await openstack(provider, "virtual", "region", "create", "north", "--domain", "d" * 32, *options)
    assert (made["state"], made["version"], made["quota"], made["resources"]) == (
        "draft",
        2,
        {"cores": 8},
        {"flavors": ["1"]},
    )
    assert made["metadata"]["location"]["country"]["value"] == "FR"
    await openstack(provider, "virtual", "region", "set", "north", "--description", "in the north")
    assert "region.document" in await openstack(provider, "virtual", "region", "set", "north", "--quota", "pens=8")
    assert (await openstack(provider, "virtual", "region", "offer", "north", "--peer", "CloudA"))["state"] == "offered"
    assert [row["State"] for row in await openstack(provider, "virtual", "region", "list")] == ["offered"]
    assert "policy.refused" in await openstack(provider, "virtual", "region", "withdraw", "north", token=READER)

    await provider.call("POST", "/v1/virtual-regions", {"name": "south", "domain_id": "e" * 32, "services": ["image"]})
    await openstack(provider, "virtual", "region", "offer", "south")
    found = await openstack(
        consumer, "region", "offer", "list", "--provider", "CloudP", "--require", "location.country=FR"
    )
    assert [(row["Name"], row["Description"]) for row in found] == [("north", "in the north")]
    rows = await openstack(consumer, "region", "offer", "compare", "CloudP/north", "CloudP/south")
    assert {"Field": "location.country", "CloudP/north": "FR", "CloudP/south": None} in rows
    offer = await openstack(consumer, "region", "offer", "show", "CloudP/north")

    file = tmp_path / "terms.yaml"
    file.write_text(yaml.safe_dump(terms(offer["virtual_region"], version=offer["version"])))
    contract = await openstack(consumer, "region", "contract", "request", "--provider", "CloudP", "--terms", str(file))
    await in_state(provider, contract["id"], "requested")
    file.write_text(file.read_text() + "grace_days: 3\n")
    words = ("virtual", "region", "contract")
    await openstack(provider, *words, "counter", contract["id"], "--terms", str(file), "--reason", "three days")
    await in_state(consumer, contract["id"], "countered")
    await openstack(consumer, "region", "contract", "accept", contract["id"], "--terms", str(file))
    await in_state(provider, contract["id"], "agreed")
    for event in ("provision", "activate", "suspend", "resume"):
        await openstack(provider, *words, event, contract["id"])
    await in_state(consumer, contract["id"], "active")
    await openstack(consumer, "region", "contract", "end", contract["id"])
    await in_state(provider, contract["id"], "ending")
    shown = await openstack(provider, *words, "show", contract["id"])
    assert (shown["state"], shown["terms"]["grace_days"]) == ("ending", 3)
    assert [row["State"] for row in await openstack(provider, *words, "list", "--state", "ending")] == ["ending"]
    assert "region.state" in await openstack(provider, *words, "resume", contract["id"])
