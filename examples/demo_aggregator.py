"""The face of a reseller: an aggregator with a Horizon, two providers, regions V1 and V2 to click in.

make demo-aggregator
make demo-aggregator LAB=--gateway-only    # without HAProxy
"""

import sys
import time

import yaml
from demo_regions import AGGREGATOR, ONE, TWO, aggregator, sell
from shell import Shell, say

NETWORK = "mine"


def main() -> int:
    """Start the clouds, negotiate and bind two regions, say where to click."""
    lab = aggregator(main.__doc__, with_dashboard=True)
    began = time.monotonic()
    say(f"{AGGREGATOR} has a Keystone, a Horizon and no service of its own; {ONE} and {TWO} are whole OpenStack clouds")
    lab.up(progress=lambda line: print(line, flush=True))
    rita, alice = Shell(lab, f"{AGGREGATOR}-admin"), Shell(lab, AGGREGATOR)
    for region, provider in (("V1", ONE), ("V2", TWO)):
        if region not in {row["Region"] for row in rita.ask("openstack region status")}:
            sell(lab, rita, provider, region)
    say("Rita's regions, and a network in each for Alice's servers:")
    rita.show("openstack region status -c Region -c Provider -c State -c 'Contract State'")
    for region in ("V1", "V2"):
        there = f"openstack --os-region-name {region}"
        if not alice.ask(f"{there} network list --internal"):
            alice.show(f"{there} network create {NETWORK} -c name -c status")
            alice.show(f"{there} subnet create {NETWORK} --network {NETWORK} --subnet-range 10.0.0.0/24 -c name")
    users = yaml.safe_load(lab.clouds_yaml.read_text())["clouds"]
    say(f"Ready in {time.monotonic() - began:.0f} s. In a browser:")
    print(f"""
  {lab.clouds[AGGREGATOR].dashboard}

  user   password                          sees
  alice  {users[AGGREGATOR]["auth"]["password"]:<32}  V1 and V2 in the menu of regions; launches servers in either
  admin  {users[f"{AGGREGATOR}-admin"]["auth"]["password"]:<32}  the same, and the dashboard Federation: offers, contracts, bindings

To stop the clouds (their data stay), and to delete them:
  openstackoid lab down --dir {lab.directory}
  openstackoid lab reset --dir {lab.directory}""")
    return 0


if __name__ == "__main__":
    sys.exit(main())
