"""The end of contracts, as the last tests of this folder: what is left at the provider, in the catalog, and to the users."""

import shlex
from collections.abc import Callable
from typing import Any

import pytest
import requests
from tests.lab.anonymity import hits
from tests.market import endings
from tests.market.market import Market, Person, answered, sold, until
from tests.real.evidence import stored
from tests.real.tools import Config, reconfigured

pytestmark = pytest.mark.real


def one_owner(peer: str) -> Callable[[Config], None]:
    """A change of a gateway's configuration: the peer is of the same owner."""

    def change(config: Config) -> None:
        config["trust"]["one_owner"] = [peer]

    return change


def test_nothing_is_left_at_the_provider_after_the_end(market: Market) -> None:
    rita, pia, plane = market.rita, market.pia, ("RegionOne", "virtual-region")
    before = endings.everything(pia)
    contract = sold(rita, pia, "V3", market.lab, grace_days=0)
    xavier = Person(market.xavier.file, market.xavier.entry)  # whose catalog has V3
    until(lambda: xavier.send("GET", f"{xavier.catalog['V3', 'image']}/v2/images").ok)
    server = endings.use(xavier, "V3")
    user = pia.ask("GET", "RegionOne", "compute", f"/servers/{server}")["server"]["user_id"]
    assert endings.keypairs(pia, user) == ["k"]
    assert all(endings.everything(pia)[key] - before[key] for key in before)
    rita.ask("POST", *plane, f"/v1/contracts/{contract}/events", json={"event": "end"})

    def cleaned() -> Any:
        clean_up = pia.ask("GET", *plane, f"/v1/contracts/{contract}")["clean_up"]
        return clean_up if clean_up and clean_up["done"] else None

    done = until(cleaned)
    assert (done["left"], endings.everything(pia), endings.keypairs(pia, user)) == ([], before, [])
    # The domain is the operators': by the commands that the product shows.
    domain = pia.ask("GET", "RegionOne", "identity", "/domains?name=of-V3")["domains"][0]["id"]
    for command in done["by_hand"]:
        pia.run(*shlex.split(command))
    pia.ask("GET", "RegionOne", "identity", f"/domains/{domain}", 404)
    offered = pia.ask("GET", *plane, "/v1/virtual-regions")["virtual_regions"]
    assert domain not in {region["domain_id"] for region in offered}
    until(lambda: rita.send("GET", f"{rita.catalog[plane]}/v1/bindings/V3").status_code == 404)
    answered(lambda: xavier.send("GET", f"{xavier.catalog['V3', 'image']}/v2/images"), 404)


def test_a_region_whose_users_come_with_their_own_tokens(market: Market) -> None:
    """For a provider of the aggregator's own owner. Its services see no token of the aggregator's Keystone."""
    lab, rita, pia, plane = market.lab, market.rita, market.pia, ("RegionOne", "virtual-region")
    with reconfigured(lab, Aggregator=one_owner("Provider"), Provider=one_owner("Aggregator")):
        contract = sold(rita, pia, "V4", lab, grace_days=0, anonymous=False, token="pass-through")
        xavier = Person(market.xavier.file, market.xavier.entry)
        until(lambda: xavier.send("GET", f"{xavier.catalog['V4', 'image']}/v2/images").ok)
        endings.use(xavier, "V4")
        assert xavier.openstack("--os-region-name", "V4", "server", "list")
        # At the provider's own frontend, too, the same token has the rights of the contract.
        scoped = {"X-Auth-Token": f'{xavier.token}!SCOPE!{{"identity": "Aggregator"}}'}
        servers = f"{lab.clouds['Provider'].frontend('compute')}/v2.1/servers"
        there = requests.get(servers, headers=scoped, timeout=60)
        assert [server["name"] for server in there.json()["servers"]] == ["vm"]
        assert requests.get(f"{servers}/detail?all_tenants=1", headers=scoped, timeout=60).status_code == 403
        token = xavier.token
        assert (token in hits(market.crossed(), [token]), hits(stored(lab.clouds["Provider"]), [token])) == (True, {})
        rita.ask("POST", *plane, f"/v1/contracts/{contract}/events", json={"event": "end"})
        answered(lambda: xavier.send("GET", f"{xavier.catalog['V4', 'image']}/v2/images"), 404)


def test_a_domains_manager_can_do_nothing_in_another_domain(market: Market) -> None:
    """Keystone's own policies, on which the control plane's account rests."""
    endings.check_manager(market.lab, market.pia)


def test_ended_and_unbound(market: Market) -> None:
    xavier = market.xavier
    images = f"{xavier.catalog['V1', 'image']}/v2/images"
    market.event(market.rita, "V1", "end", "ending")
    keypair = {"keypair": {"name": "late"}}

    def create() -> requests.Response:
        return xavier.send("POST", f"{xavier.catalog['V1', 'compute']}/os-keypairs", json=keypair)

    refused = answered(create, 403)
    assert refused.json()["error"]["openstackoid_code"] == "agreement.rule"
    # In the grace time what is there can be read, taken home and deleted.
    (mine,) = xavier.ask("GET", "V1", "image", "/v2/images?name=mine")["images"]
    assert len(xavier.ask("GET", "V1", "image", f"/v2/images/{mine['id']}/file").content) == mine["size"] > 0
    assert xavier.ask("GET", "V1", "network", "/v2.0/networks?name=mine")["networks"]
    for server in xavier.ask("GET", "V1", "compute", "/servers")["servers"]:
        xavier.ask("DELETE", "V1", "compute", f"/servers/{server['id']}", 204)
    plane = ("RegionOne", "virtual-region")
    for region in [row["region"] for row in market.rita.ask("GET", *plane, "/v1/bindings")["bindings"]]:
        market.rita.ask("DELETE", *plane, f"/v1/bindings/{region}")
    until(lambda: market.rita.ask("GET", *plane, "/v1/bindings")["bindings"] == [])
    assert Person(market.lab.clouds_yaml, "Aggregator-admin").catalog == market.before
    answered(lambda: xavier.send("GET", images), 404)
