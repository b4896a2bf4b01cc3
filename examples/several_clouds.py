"""Several clouds in one request, as a user reads it: a chapter of the demo and of the tour.

What is made in both clouds is made by a scope that names both: `*` means all clouds of a lab, which may have more. Everything is deleted again.
"""

import json
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from shell import Shell, expect, say

from openstackoid.lab import Lab

ONE, TWO = "CloudOne", "CloudTwo"
_PATIENCE: Final = 60.0  # seconds


def scope(service: str, clouds: str = f"{ONE} & {TWO}") -> str:
    """The option for clouds of one service."""
    return f"--os-scope '{json.dumps({service: clouds})}'"


def several_clouds(lab: Lab, alice: Shell) -> None:
    """Tell the chapter.

    Args:
        lab: with CloudOne and CloudTwo.
        alice: a member of CloudOne.

    Raises:
        SystemExit: something did not go as told.
    """
    if alice.ask(f"openstack network list --name everywhere {scope('network')}"):
        clean(alice, alice.quiet)  # a run before was broken off
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "image.raw"
        data.write_bytes(bytes(range(256)) * 4096)
        creates(alice, data)
    reads(lab, alice)
    say("An image of CloudTwo copied to CloudOne: the data does not pass Alice's machine")
    shows(alice, f"openstack image copy cirros-cloudtwo --from {TWO} --to {ONE}", "copied")
    say("What an expression means now, and why")
    expression = scope("image", f"around({ONE}, 1000ms) | {TWO}")
    shows(alice, f"openstack scope explain image --path /v2/images {expression}", TWO)
    say("What is in both clouds is deleted in both")
    clean(alice, alice.show)


def creates(alice: Shell, data: Path) -> None:
    """A network, a subnet, an image and a server of both clouds; a subnet of none."""
    say("A network, a subnet and an image in both clouds, each by one command")
    alice.show(f"openstack network create everywhere {scope('network')} -c id -c name")
    subnet = "openstack subnet create --network everywhere --subnet-range"
    alice.show(f"{subnet} 10.78.0.0/24 everywhere {scope('network')} -c name -c cidr")
    image = f"openstack image create everywhere --file {data} --disk-format raw --container-format bare"
    alice.show(f"{image} {scope('image')} -c id -c name -c status")
    shows(alice, "openstack replica list -c Kind -c Members", "image.image", "network.network", TWO)

    say(f"In both, or in none: {TWO} has a subnet with this range, and refuses; what {ONE} has made is deleted again")
    alice.show(f"{subnet} 10.79.0.0/24 taken {scope('network', TWO)} -c name -c cidr")
    expect(alice, f"{subnet} 10.79.0.0/24 undone {scope('network')}", "It is in no cloud.")
    if "undone" in shows(alice, f"openstack subnet list {scope('network', '*')} -c Name -c Cloud", "taken"):
        raise SystemExit("expected the subnet to be in no cloud")

    say("A server in both clouds: each takes what has these names there")
    server = "openstack server create everywhere --flavor m1.tiny --image cirros --network everywhere"
    shows(alice, f"{server} {scope('compute')} --wait -c name -c status", "ACTIVE")


def reads(lab: Lab, alice: Shell) -> None:
    """Lists of all clouds, also while one does not answer; one image, wherever it is."""
    say("Everything, in all clouds: each row says where it is")
    rows = shows(
        alice, f"openstack server list {scope('compute', '*')} -c Name -c Status -c Cloud", "Cloud"
    ).splitlines()
    for cloud in (ONE, TWO):
        if not any("everywhere" in row and cloud in row for row in rows):
            raise SystemExit(f"expected the server of {cloud}")

    say(f"Clouds by a label that their operators chose: {TWO} has the label edge")
    shows(alice, f"openstack network list {scope('network', f'{ONE} & @edge')} -c Name -c Cloud", TWO)

    say(f"A list while {TWO}'s image service hangs: it is without {TWO}, and says so (exit code 3)")
    with hanging(lab, TWO, "image"):
        partial = f"openstack image list {scope('image', '*')} --os-scope-timeout 5 -c Name -c Cloud"
        expect(alice, partial, f"{TWO} is missing: peer.timeout")

    say("One of them: the first cloud that answers and has it")
    shows(
        alice,
        f"openstack image show cirros-cloudtwo {scope('image', f'{ONE} | {TWO}')} -c id -c name",
        "cirros-cloudtwo",
    )


def shows(alice: Shell, command: str, *parts: str) -> str:
    """Show a command, and check its answer."""
    answer = alice.show(command)
    for part in parts:
        if part not in answer:
            raise SystemExit(f"expected {part} in the answer")
    return answer


@contextmanager
def hanging(lab: Lab, cloud: str, service: str) -> Iterator[None]:
    """Stop the process of a service for a while: connections to it stay open, and nothing is answered."""
    process = lab.process(cloud, service)
    if process is None:
        raise SystemExit(f"expected {cloud}'s {service} service to run")
    process.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.signal(signal.SIGCONT)


def clean(alice: Shell, delete: Callable[[str], object]) -> None:
    """Delete what this chapter makes.

    Args:
        alice: whose it is.
        delete: runs a command.
    """
    delete(f"openstack server delete everywhere --wait {scope('compute')}")
    deadline = time.monotonic() + _PATIENCE
    while alice.ask(f"openstack server list --name everywhere {scope('compute')}"):  # its port keeps the network
        if time.monotonic() > deadline:
            raise SystemExit("expected the server to be deleted in both clouds")
        time.sleep(1)
    delete(f"openstack image delete everywhere {scope('image')}")
    delete(f"openstack image delete cirros-cloudtwo {scope('image', ONE)}")
    delete(f"openstack network delete everywhere {scope('network')}")
