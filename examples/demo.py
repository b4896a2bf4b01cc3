"""The promise in one go: two real clouds of different owners, a server in CloudOne from an image of CloudTwo, and requests to both at once.

make demo
make demo LAB=--gateway-only    # without HAProxy
"""

import time

from several_clouds import several_clouds
from shell import Shell, audit, run, say, two_clouds

TWO = """--os-scope '{"image": "CloudTwo"}'"""
FIELDS = ("cloud", "global_request_id", "method", "service", "path", "decision", "peer", "status")
# Of requests between clouds of different owners.
MORE = ("user", "agreement")


def main() -> int:
    """Start the clouds, tell the story, say how to go on."""
    lab = two_clouds(main.__doc__)
    began = time.monotonic()
    front = "HAProxy and a gateway" if lab.state.with_haproxy else "a gateway"
    say(
        f"Two OpenStack clouds, each with a Keystone, a Glance, a Nova, a Neutron, a Placement of its own, and {front} before each"
    )
    lab.up(progress=lambda line: print(line, flush=True))
    if lab.state.federated:
        say(
            "They have different owners: each knows the other's key, and allows its users what their agreement says. "
            "Alice's token stays at home; CloudTwo gets a short-lived one that CloudOne has signed, for CloudTwo alone"
        )
    else:
        say(
            "They have one owner: this lab passes users' tokens through ('openstackoid lab reset' first for the other way)"
        )
    alice = Shell(lab, "CloudOne")
    alice.quiet("openstack server delete --wait vm")

    say("Alice is a plain member of CloudOne, and unknown in CloudTwo. The images of both clouds:")
    alice.show("openstack image list")
    alice.show(f"openstack image list {TWO}")

    say("A server in CloudOne, from an image that only CloudTwo has:")
    create = f"openstack server create vm --image cirros-cloudtwo --flavor m1.tiny --network private {TWO} --wait"
    alice.show(f"{create} -c id -c name -c status -c image")

    say("Where the image really came from, as the gateways' audit trails tell it (one global request id, two clouds):")
    served = [
        line
        for line in audit(lab, "CloudTwo", service="image", decision="local")
        if line["path"].endswith("/file") and line["global_request_id"]
    ]
    if not served:
        raise SystemExit(
            "expected CloudTwo's own image service to serve the download: its audit trail shows no such request"
        )
    left = audit(lab, "CloudOne", decision="remote", global_request_id=served[-1]["global_request_id"])
    for line in (*left, served[-1]):
        shown = [*FIELDS, *(key for key in MORE if line.get(key))]
        print("  " + "  ".join(f"{key}={line[key]}" for key in shown))
    if not left:
        raise SystemExit(
            "expected CloudOne's nova to ask CloudTwo for the image: its audit trail shows no such request"
        )
    if lab.state.with_haproxy:
        print(
            "  CloudOne's gateway saw nova look the image up, and taught HAProxy: its data, the last line, may go straight to CloudTwo."
        )

    several_clouds(lab, alice)

    say(f"Done in {time.monotonic() - began:.0f} s. To go on playing:")
    print("""
  . .venv/bin/activate
  eval "$(openstackoid lab env CloudOne)"
  openstack scope explain --os-scope image=CloudTwo
  openstack cloud peer list
  openstack server list
  openstackoid lab status
  openstackoid lab logs --cloud CloudTwo --service gateway

To stop the clouds (their data stay), and to delete them:

  openstackoid lab down
  openstackoid lab reset
""")
    return 0


if __name__ == "__main__":
    run(main)
