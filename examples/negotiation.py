"""How two regions come to an aggregator, for `demo_regions` and `demo_aggregator`: what was done before, perhaps by a demo that was interrupted, is left out."""

import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import openstack
import yaml
from openstack.connection import Connection
from osc_lib.exceptions import CommandError
from shell import Shell, say, side_by_side

from openstackoid.client.regions.api import ControlPlane
from openstackoid.lab import Lab

PATIENCE: Final = 120.0  # seconds
SERVICES: Final = "--service compute --service image --service network"
NETWORK: Final = "mine"
# What the provider does with a contract in a state, until it is in use.
STEPS: Final = {"requested": "accept", "suspended": "resume"}
ON_THE_WAY: Final = ("requested", "agreed", "provisioning", "active", "suspended")


class Operator:
    """Who runs a cloud: commands are shown, and what decides on them is asked without a command.

    Args:
        lab: that runs.
        cloud: the operator's.
    """

    def __init__(self, lab: Lab, cloud: str) -> None:
        self.cloud = cloud
        self.shell = Shell(lab, f"{cloud}-admin")
        self.keystone = connect(lab, f"{cloud}-admin")
        self.plane = ControlPlane(self.keystone.session, "public", None)

    def contracts(self) -> dict[str, dict[str, Any]]:
        """Contracts at this side: id -> ID, state, and name of the region."""
        return {contract["id"]: contract for contract in self.plane.get("contracts")["contracts"]}

    def state(self, contract: str) -> str:
        """The state of a contract at this side; empty while it does not have it."""
        return str(self.contracts().get(contract, {}).get("state", ""))


def people(lab: Lab, aggregator: str, providers: dict[str, str]) -> tuple[Operator, dict[str, Operator]]:
    """Rita, of the aggregator, and for each region the operator of its provider.

    Args:
        lab: that runs.
        aggregator: its name.
        providers: name of a region -> who provides it.
    """
    return Operator(lab, aggregator), {region: Operator(lab, cloud) for region, cloud in providers.items()}


def connect(lab: Lab, entry: str, region: str | None = None) -> Connection:
    """A connection of openstacksdk as a user of the lab's `clouds.yaml`."""
    config = openstack.config.OpenStackConfig(config_files=[str(lab.clouds_yaml)], load_envvars=False)
    return Connection(config=config.get_one(entry, region_name=region))


def patiently(condition: Callable[[], object]) -> None:
    """Wait for something that the other side's control plane does.

    Raises:
        SystemExit: it does not come to that.
    """
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"the other control plane did not answer within {PATIENCE:.0f} s: openstackoid lab logs")
        time.sleep(0.1)


def negotiate(lab: Lab, rita: Operator, regions: dict[str, Operator]) -> None:
    """Offers, contracts and bindings: name of a region -> who provides it."""
    unbind_ended(rita, regions)
    bound = {row["region"] for row in rita.plane.get("bindings")["bindings"]}
    wanted = {region: pia for region, pia in regions.items() if region not in bound}
    if wanted:
        say("Pia, at each provider, offers a part of her cloud:")
        offer(lab, rita, wanted)
        say(f"Rita of {rita.cloud} looks for offers, and asks for contracts; the providers accept:")
        request(rita, wanted)
    contracts = {region: contract_of(rita, region) for region in regions}
    accept(rita, regions, contracts)
    commands = [f"openstack region bind {region} --contract {contracts[region]}" for region in wanted]
    side_by_side([(rita.shell, f"{command} -c region -c provider -c state -c services") for command in commands])
    patiently(lambda: all(row["state"] == "bound" for row in rita.plane.get("bindings")["bindings"]))


def unbind_ended(rita: Operator, regions: Iterable[str]) -> None:
    """Take regions out of the catalog whose contract ends: an earlier demo has ended it."""
    bindings = {row["region"]: row for row in rita.plane.get("bindings")["bindings"]}
    for region in regions:
        if region in bindings and bindings[region]["contract_state"] not in ON_THE_WAY:
            rita.shell.show(f"openstack region unbind {region} -c region -c state")
    going = [row["region"] for row in rita.plane.get("bindings")["bindings"] if row["state"] == "unbinding"]
    patiently(lambda: not set(going) & {row["region"] for row in rita.plane.get("bindings")["bindings"]})


def offer(lab: Lab, rita: Operator, regions: dict[str, Operator]) -> None:
    """Have each provider offer a region, in a domain that its control plane manages."""
    made, offered = [], []
    for region, pia in regions.items():
        name = virtual_region(region)
        state = {row["name"]: row["state"] for row in pia.plane.get("virtual-regions")["virtual_regions"]}.get(name)
        if state is None:
            create = f"openstack virtual region create {name} --domain {managed(lab, pia, name)} {SERVICES}"
            made.append((pia.shell, f"{create} -c name -c state -c services"))
        if state != "offered":
            command = f"openstack virtual region offer {name} --peer {rita.cloud} -c name -c state"
            offered.append((pia.shell, command))
    side_by_side(made)
    side_by_side(offered)


def managed(lab: Lab, pia: Operator, name: str) -> str:
    """The id of a domain, with the user that the provider's control plane has in each domain of a region."""
    identity: Any = pia.keystone.identity  # its types are those of v2 or v3
    domain = identity.find_domain(name) or identity.create_domain(name=name)
    user, password = "openstackoid", lab.clouds[pia.cloud].trust_password.read_text().strip()
    found = identity.find_user(user, domain_id=domain.id)
    found = found or identity.create_user(name=user, domain_id=domain.id, password=password)
    identity.assign_domain_role_to_user(domain, found, identity.find_role("manager"))
    return str(domain.id)


def request(rita: Operator, regions: dict[str, Operator]) -> None:
    """Ask for a contract about each offer, unless there is one."""
    patiently(lambda: all(offered(rita, pia, region) for region, pia in regions.items()))
    side_by_side([(rita.shell, f"openstack region offer list --provider {pia.cloud}") for pia in regions.values()])
    with tempfile.TemporaryDirectory() as folder:
        commands = []
        for region, pia in regions.items():
            about = offered(rita, pia, region)
            if about is not None and not contract_of(rita, region):
                file = Path(folder) / f"{region}.yaml"
                file.write_text(yaml.safe_dump(terms(about, region)))
                commands.append(f"openstack region contract request --provider {pia.cloud} --terms {file}")
        side_by_side([(rita.shell, f"{command} -c id -c peer -c state") for command in commands])


def offered(rita: Operator, pia: Operator, region: str) -> dict[str, Any] | None:
    """The provider's offer; None while its control plane does not answer, or has none."""
    try:
        offers = rita.plane.get("offers", provider=pia.cloud)["offers"]
    except CommandError:  # the clouds have just started
        return None
    return next((row for row in offers if row["name"] == virtual_region(region)), None)


def terms(about: dict[str, Any], region: str) -> dict[str, Any]:
    """Terms of a contract about an offer, which begins now."""
    now = time.time() - 60

    def moment(seconds: float) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now + seconds))

    return {
        "virtual_region": about["virtual_region"],
        "version": about["version"],
        "region_name": region,
        "services": about["services"],
        "from": moment(0),
        "answer_by": moment(86400),
        "grace_days": 1,
    }


def contract_of(rita: Operator, region: str) -> str:
    """The id of the contract about a region that is in use, or on the way to that; empty if there is none."""
    found = [row for row in rita.contracts().values() if row["region_name"] == region and row["side"] == "consumer"]
    return next((str(row["id"]) for row in found if row["state"] in ON_THE_WAY), "")


def accept(rita: Operator, regions: dict[str, Operator], contracts: dict[str, str]) -> None:
    """Have each provider do what is left until its contract is active: its control plane sets up what the contract needs."""
    patiently(lambda: all(pia.state(contracts[region]) for region, pia in regions.items()))
    states = {region: pia.state(contracts[region]) for region, pia in regions.items()}
    commands = [
        (pia.shell, f"openstack virtual region contract {STEPS[states[region]]} {contracts[region]} -c state")
        for region, pia in regions.items()
        if states[region] in STEPS
    ]
    side_by_side(commands)
    patiently(lambda: all(rita.state(contract) == "active" for contract in contracts.values()))


def networks(lab: Lab, alice: Shell, regions: Iterable[str]) -> None:
    """A network for Alice's servers in each region, by openstacksdk."""
    for region in regions:
        network = connect(lab, alice.cloud, region).network
        mine = network.find_network(NETWORK) or network.create_network(name=NETWORK)
        if not mine.subnet_ids:
            network.create_subnet(name=NETWORK, network_id=mine.id, ip_version=4, cidr="10.0.0.0/24")


def virtual_region(region: str) -> str:
    """The name at its provider."""
    return f"for-{region.lower()}"
