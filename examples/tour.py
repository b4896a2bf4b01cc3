"""The classic tour: every kind of collaboration between two clouds, and those that cannot work, with what a user reads.

    openstackoid lab up
    python examples/tour.py [FOLDER OF THE LAB]

Everything is done as a plain member of CloudOne who does not exist in CloudTwo.
"""

import sys
from pathlib import Path

from shell import Shell, say

from openstackoid.lab import Lab
from openstackoid.lab.state import default_directory

IMAGES = "--os-scope image=CloudTwo"
BOTH = "--os-scope 'network=CloudOne & CloudTwo'"
ELSEWHERE = "--os-scope compute=CloudTwo,network=CloudTwo,placement=CloudTwo"


def main() -> int:
    """Take the tour."""
    lab = Lab(Path(sys.argv[1]) if len(sys.argv) > 1 else default_directory())
    alice = Shell(lab, "CloudOne")
    for name, scope in (("tour-one", ""), ("tour-two", ELSEWHERE)):
        alice.quiet(f"openstack server delete --wait {name} {scope}")

    say("What each service of a scope comes to")
    alice.show("openstack cloud peer list")
    alice.show(f"openstack scope explain {IMAGES}")

    say("Endpoints, images and networks of each cloud")
    alice.show("openstack catalog list")
    alice.show("openstack image list")
    alice.show(f"openstack image list {IMAGES}")
    alice.show("openstack network list")
    alice.show("openstack network list --os-scope network=CloudTwo")

    say("Several clouds in one request")
    both = alice.show("openstack image list --os-scope 'image=CloudOne & CloudTwo'")
    if "cirros-cloudone" not in both or "cirros-cloudtwo" not in both:
        raise SystemExit("expected the images of both clouds")

    say("A server in CloudOne from CloudTwo's image")
    alice.show(
        f"openstack server create tour-one --image cirros-cloudtwo --flavor m1.tiny --network private {IMAGES} --wait -c name -c status"
    )

    say("Compute, network and placement of CloudTwo, under one's own identity and with one's own image")
    network = alice.ask(f"openstack network list {ELSEWHERE} --name tour-net")
    if not network:
        alice.show(f"openstack network create tour-net {ELSEWHERE} -c name -c status")
        alice.show(
            f"openstack subnet create tour-subnet --network tour-net --subnet-range 10.77.0.0/24 {ELSEWHERE} -c cidr"
        )
    alice.show(
        f"openstack server create tour-two --image cirros --flavor m1.tiny --network tour-net {ELSEWHERE} --wait -c name -c status"
    )
    say("Seen with the scope, and not without")
    seen = alice.show(f"openstack server list {ELSEWHERE} -c Name -c Status")
    unseen = alice.show("openstack server list -c Name -c Status")
    if "tour-two" not in seen or "tour-two" in unseen:
        raise SystemExit("expected tour-two under the scope, and only there")

    in_both(alice)

    say("Collaborations that cannot work: refused before anything is sent, with the reason")
    create = "openstack server create tour-ill --image cirros --flavor m1.tiny --network private"
    expect(alice, f"{create} --os-scope compute=CloudTwo", "must be of one cloud")
    expect(alice, "openstack image list --os-scope image=CloudNine", "knows no cloud CloudNine")
    expect(alice, "openstack image list --os-scope imgae=CloudTwo", "Did you mean image?")
    expect(
        alice,
        "openstack server group create tour-ill --os-scope 'compute=CloudOne & CloudTwo'",
        "Name one cloud for compute",
    )
    expect(alice, "openstack image list --os-scope 'image=Cloud Two'", "Malformed scope")
    expect(alice, "openstack volume list --os-scope block-storage=CloudTwo", "")
    expect(alice, "openstack server list --os-scope identity=CloudTwo", "")

    say("Cleaning up")
    alice.show("openstack server delete --wait tour-one")
    alice.show(f"openstack server delete --wait tour-two {ELSEWHERE}")
    alice.show(f"openstack network delete tour-net {ELSEWHERE}")
    return 0


def in_both(alice: Shell) -> None:
    """A network of both clouds, and a subnet that one of them refuses."""
    say("A network in both clouds, or in none")
    made = alice.ask(f"openstack network create tour-both {BOTH}")["id"]
    alice.show(f"openstack network show {made} {BOTH} -c id -c name -c status")
    alice.show("openstack replica list")
    other = next(
        row for row in alice.ask("openstack network list --os-scope network=CloudTwo") if row["Name"] == "tour-both"
    )
    subnet = "openstack subnet create tour-taken --subnet-range 10.78.0.0/24 --network"
    alice.show(f"{subnet} {other['ID']} --os-scope network=CloudTwo -c cidr")
    expect(alice, f"{subnet} {made} {BOTH}", "It is in no cloud.")
    alice.show(f"openstack network delete {made} {BOTH}")


def expect(alice: Shell, command: str, reason: str) -> None:
    """Show a command that is refused, and why."""
    if reason not in alice.show(command, fails=True):
        raise SystemExit(f"expected the error to say: {reason}")


if __name__ == "__main__":
    sys.exit(main())
