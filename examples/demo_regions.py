"""A reseller in one go: an aggregator without a service of its own, two providers, and a server in region V1.

make demo-regions
make demo-regions LAB=--gateway-only    # without HAProxy

What an interrupted one has done stays; the next one goes on from there.
"""

import argparse
import time
from pathlib import Path

from negotiation import NETWORK, Operator, connect, contract_of, negotiate, networks, patiently, people
from shell import Shell, expect, run, say, side_by_side

from openstackoid.lab import Lab
from openstackoid.lab.layout import DEFAULT_AGGREGATOR
from openstackoid.lab.state import default_directory

AGGREGATOR, ONE, TWO = DEFAULT_AGGREGATOR
PROVIDERS = {"V1": ONE, "V2": TWO}


def main() -> int:
    """Start the clouds, tell the story, say how to go on."""
    lab = aggregator(main.__doc__)
    began = time.monotonic()
    say(f"{AGGREGATOR} has a Keystone, a gateway and a control plane; {ONE} and {TWO} are whole OpenStack clouds")
    lab.up(progress=lambda line: print(line, flush=True))
    rita, providers = people(lab, AGGREGATOR, PROVIDERS)
    negotiate(lab, rita, providers)
    say("Rita's regions, and her users' catalog:")
    regions = "openstack region status -c Region -c Provider -c State -c 'Contract State'"
    side_by_side([(rita.shell, regions), (rita.shell, "openstack catalog list")])

    alice = Shell(lab, AGGREGATOR)
    say(f"Alice is a user of {AGGREGATOR}, and unknown to {ONE} and {TWO}. A server in each region:")
    networks(lab, alice, PROVIDERS)
    servers(lab, alice)
    say(f"What {ONE} sees of her: a project that stands for hers, and pseudonyms")
    pia = providers["V1"]
    pia.shell.show("openstack server list --all-projects --long -c Name -c Status -c 'Project ID'")
    suspend_and_end(rita, pia, alice)
    say(f"Done in {time.monotonic() - began:.0f} s. To go on playing in V2:")
    print(f"""
  . .venv/bin/activate
  eval "$(openstackoid lab env {AGGREGATOR} --dir {lab.directory})"
  openstack --os-region-name V2 server list

To stop the clouds (their data stay), and to delete them:
  openstackoid lab down --dir {lab.directory}
  openstackoid lab reset --dir {lab.directory}""")
    return 0


def servers(lab: Lab, alice: Shell) -> None:
    """A server in each region, in the place of one of an earlier demo."""
    for region in PROVIDERS:
        compute = connect(lab, alice.cloud, region).compute
        for server in list(compute.servers(name="^vm$")):
            compute.delete_server(server)
            compute.wait_for_delete(server)
    create = f"server create vm --image cirros --flavor m1.tiny --network {NETWORK} --wait -c name -c status"
    side_by_side([(alice, f"openstack --os-region-name {region} {create}") for region in PROVIDERS])


def suspend_and_end(rita: Operator, pia: Operator, alice: Shell) -> None:
    """What becomes of V1."""
    contract = contract_of(rita, "V1")
    say(f"{pia.cloud} suspends the contract: Alice's next request is refused")
    pia.shell.show(f"openstack virtual region contract suspend {contract} -c state")
    patiently(lambda: rita.state(contract) == "suspended")
    expect(alice, "openstack --os-region-name V1 server list", f"is suspended by {pia.cloud}")
    pia.shell.show(f"openstack virtual region contract resume {contract} -c state")
    patiently(lambda: rita.state(contract) == "active")

    say("Rita ends it: in the grace time Alice can read and delete, and create nothing")
    rita.shell.show(f"openstack region contract end {contract} -c state")
    patiently(lambda: pia.state(contract) == "ending")
    expect(alice, "openstack --os-region-name V1 keypair create new", "has no rule that allows POST")
    alice.show("openstack --os-region-name V1 server delete --wait vm")
    rita.shell.show("openstack region unbind V1 -c region -c state")


def aggregator(story: str | None, *, with_dashboard: bool = False) -> Lab:
    """The lab that the command line asks for; not yet up.

    Args:
        story: what `--help` says.
        with_dashboard: whether the aggregator has a Horizon.
    """
    parser = argparse.ArgumentParser(description=story)
    parser.add_argument("--gateway-only", action="store_true", help="without HAProxy before the gateways")
    folder = default_directory().with_name("lab-regions")
    parser.add_argument("--dir", type=Path, default=folder, help="folder of the lab (default: %(default)s)")
    parser.add_argument("--address", help="network of the first cloud")
    arguments = parser.parse_args()
    front = False if arguments.gateway_only else None
    return Lab(
        arguments.dir,
        DEFAULT_AGGREGATOR,
        arguments.address,
        with_haproxy=front,
        aggregator=True,
        aggregator_dashboard=with_dashboard or None,
    )


if __name__ == "__main__":
    run(main)
