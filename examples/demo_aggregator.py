"""The face of a reseller: an aggregator with a Horizon, two providers, regions V1 and V2 to click in.

make demo-aggregator
make demo-aggregator LAB=--gateway-only    # without HAProxy

What an interrupted one has done stays; the next one goes on from there.
"""

import time

import yaml
from demo_regions import AGGREGATOR, ONE, PROVIDERS, TWO, aggregator
from negotiation import negotiate, networks, people
from shell import Shell, run, say


def main() -> int:
    """Start the clouds, negotiate and bind two regions, say where to click."""
    lab = aggregator(main.__doc__, with_dashboard=True)
    began = time.monotonic()
    say(f"{AGGREGATOR} has a Keystone, a Horizon and no service of its own; {ONE} and {TWO} are whole OpenStack clouds")
    lab.up(progress=lambda line: print(line, flush=True))
    rita, providers = people(lab, AGGREGATOR, PROVIDERS)
    negotiate(lab, rita, providers)
    say("Rita's regions, and a network in each for Alice's servers:")
    rita.shell.show("openstack region status -c Region -c Provider -c State -c 'Contract State'")
    networks(lab, Shell(lab, AGGREGATOR), PROVIDERS)
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
    run(main)
