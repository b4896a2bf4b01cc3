"""The classic tour: every kind of collaboration between two clouds, and those that cannot work, with what a user reads.

    openstackoid lab up
    python examples/tour.py [FOLDER OF THE LAB]

Everything is done as a plain member of CloudOne who does not exist in CloudTwo.
"""

import sys
from pathlib import Path

from several_clouds import several_clouds
from shell import Shell, expect, say

from openstackoid.lab import Lab
from openstackoid.lab.state import default_directory

IMAGES = "--os-scope image=CloudTwo"
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

    several_clouds(lab, alice)

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


if __name__ == "__main__":
    sys.exit(main())
