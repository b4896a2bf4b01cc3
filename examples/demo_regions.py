"""A reseller in one go: an aggregator without a service of its own, two providers, and a server in region V1.

make demo-regions
make demo-regions LAB=--gateway-only    # without HAProxy
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import yaml
from shell import Shell, say

from openstackoid.lab import Lab
from openstackoid.lab.layout import DEFAULT_AGGREGATOR
from openstackoid.lab.state import default_directory

AGGREGATOR, ONE, TWO = DEFAULT_AGGREGATOR
PATIENCE: Final = 120.0  # seconds


def main() -> int:
    """Start the clouds, tell the story, say how to go on."""
    lab = aggregator(main.__doc__)
    began = time.monotonic()
    say(f"{AGGREGATOR} has a Keystone, a gateway and a control plane; {ONE} and {TWO} are whole OpenStack clouds")
    lab.up(progress=lambda line: print(line, flush=True))
    rita, alice = Shell(lab, f"{AGGREGATOR}-admin"), Shell(lab, AGGREGATOR)
    for region, provider in (("V1", ONE), ("V2", TWO)):
        if region not in {row["Region"] for row in rita.ask("openstack region status")}:
            sell(lab, rita, provider, region)
    say("Rita's regions, and her users' catalog:")
    rita.show("openstack region status -c Region -c Provider -c State -c 'Contract State'")
    rita.show("openstack catalog list")

    say(f"Alice is a user of {AGGREGATOR}, and unknown to {ONE} and {TWO}. A server in each region:")
    for region in ("V1", "V2"):
        alice.quiet(f"openstack --os-region-name {region} server delete --wait vm")
        if not alice.ask(f"openstack --os-region-name {region} network list --internal"):
            alice.show(f"openstack --os-region-name {region} network create mine -c name -c status")
            alice.show(
                f"openstack --os-region-name {region} subnet create mine --network mine --subnet-range 10.0.0.0/24 -c name"
            )
        create = f"openstack --os-region-name {region} server create vm --image cirros --flavor m1.tiny --network mine"
        alice.show(f"{create} --wait -c name -c status")
    alice.show("openstack --os-region-name V1 server list -c Name -c Status")
    say(f"What {ONE} sees of her: a project that stands for hers, and pseudonyms")
    Shell(lab, f"{ONE}-admin").show("openstack server list --all-projects --long -c Name -c Status -c 'Project ID'")

    contract = rita.ask("openstack region status V1")[0]["Contract"]
    say(f"{ONE} suspends the contract: Alice's next request is refused")
    pia = Shell(lab, f"{ONE}-admin")
    pia.show(f"openstack virtual region contract suspend {contract} -c state")
    patiently(lambda: rita.ask("openstack region status V1")[0]["Contract State"] == "suspended")
    alice.show("openstack --os-region-name V1 server list", fails=True)
    pia.show(f"openstack virtual region contract resume {contract} -c state")
    patiently(lambda: rita.ask("openstack region status V1")[0]["Contract State"] == "active")

    say("Rita ends it: in the grace time Alice can read and delete, and create nothing")
    rita.show(f"openstack region contract end {contract} -c state")
    patiently(lambda: state(pia, contract) == "ending")
    alice.show("openstack --os-region-name V1 keypair create new", fails=True)
    alice.show("openstack --os-region-name V1 server delete --wait vm")
    rita.show("openstack region unbind V1 -c region -c state")
    say(f"Done in {time.monotonic() - began:.0f} s. To go on playing in V2:")
    print(f"""
  . .venv/bin/activate
  eval "$(openstackoid lab env {AGGREGATOR} --dir {lab.directory})"
  openstack --os-region-name V2 server list

To stop the clouds (their data stay), and to delete them:
  openstackoid lab down --dir {lab.directory}
  openstackoid lab reset --dir {lab.directory}""")
    return 0


def sell(lab: Lab, rita: Shell, provider: str, region: str) -> None:
    """Offer, negotiate, bind."""
    pia = Shell(lab, f"{provider}-admin")
    say(f"Pia of {provider} offers a part of her cloud:")
    name = f"for-{region.lower()}"
    domain = pia.ask(f"openstack domain create --or-show {name}")["id"]
    services = "--service compute --service image --service network"
    pia.show(f"openstack virtual region create {name} --domain {domain} {services} -c name -c state -c services")
    pia.show(f"openstack virtual region offer {name} --peer {AGGREGATOR} -c name -c state")

    say(f"Rita of {AGGREGATOR} looks for offers, and asks for a contract:")
    rita.show(f"openstack region offer list --provider {provider}")
    offer = rita.ask(f"openstack region offer show {provider}/{name}")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "terms.yaml"
        file.write_text(yaml.safe_dump(terms(offer, region)))
        made = rita.ask(f"openstack region contract request --provider {provider} --terms {file}")["id"]
    patiently(lambda: state(pia, made) == "requested")
    for event in ("accept", "provision", "activate"):
        pia.show(f"openstack virtual region contract {event} {made} -c state")
    patiently(lambda: state(rita, made, "region") == "active")
    rita.show(f"openstack region bind {region} --contract {made} -c region -c provider -c state -c services")


def terms(offer: dict[str, Any], region: str) -> dict[str, Any]:
    """Terms of a contract about an offer, which begins now."""
    now = time.time() - 60

    def moment(seconds: float) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now + seconds))

    return {
        "virtual_region": offer["virtual_region"],
        "version": offer["version"],
        "region_name": region,
        "services": offer["services"],
        "from": moment(0),
        "answer_by": moment(86400),
        "grace_days": 1,
    }


def state(shell: Shell, contract: str, words: str = "virtual region") -> str:
    """The state of a contract at one side; empty while it does not have it."""
    found = {row["ID"]: row["State"] for row in shell.ask(f"openstack {words} contract list")}
    return str(found.get(contract, ""))


def patiently(condition: Any) -> None:
    """Wait for something that the other side's control plane does.

    Raises:
        SystemExit: it does not come to that.
    """
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"the other control plane did not answer within {PATIENCE:.0f} s: openstackoid lab logs")
        time.sleep(0.2)


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
    sys.exit(main())
