"""What is left to the operators of a provider when nobody uses a domain any more, as commands of the stock client. Pure.

A control plane never deletes a domain: the operators made it, and its account, a user of that very domain, has no right to.
"""

from collections.abc import Iterable, Sequence

from openstackoid.regions.objects.states import RegionState
from openstackoid.regions.objects.virtual_region import VirtualRegion


def commands(domain: str, regions: Iterable[VirtualRegion]) -> list[str]:
    """The commands that remove a domain, in order; Keystone deletes disabled domains alone, with their users and projects.

    Args:
        domain: id.
        regions: all of the provider.
    """
    sold = [region for region in regions if region.domain_id == domain and region.state is not RegionState.RETIRED]
    withdraw = [
        f"openstack virtual region withdraw {region.name}" for region in sold if region.state is RegionState.OFFERED
    ]
    retire = [f"openstack virtual region delete {region.name}" for region in sold]
    return [*withdraw, *retire, f"openstack domain set --disable {domain}", f"openstack domain delete {domain}"]


def unneeded(regions: Sequence[VirtualRegion]) -> dict[str, list[str]]:
    """Domains of which all regions are retired -> the names of these."""
    used = {region.domain_id for region in regions if region.state is not RegionState.RETIRED}
    found: dict[str, list[str]] = {}
    for region in regions:
        if region.domain_id not in used:
            found.setdefault(region.domain_id, []).append(region.name)
    return found
