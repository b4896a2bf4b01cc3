"""Chains: a virtual region that is made of a region which its provider itself has from another cloud. Pure.

    CloudBase  --- contract 1 --->  CloudMiddle  --- contract 2, owners [CloudBase] --->  CloudTop  --- contract 3, owners [CloudMiddle, CloudBase] ---> ...

The **owners** of a region are the clouds behind its provider, the nearest first. They stand in the offer, and in the terms, which both sides sign: so
nobody buys a region without knowing whose clouds carry it, and no region comes back to one of them.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final

from openstackoid.regions.errors import CircleError, DocumentError, OwnersError
from openstackoid.regions.objects.terms import Terms

# What of a resold region is counted, or looked up, in services that its seller does not have.
_NOT_RESOLD: Final = ("images",)


def resold(resources: Mapping[str, Any]) -> str:
    """The name of the seller's own region that a virtual region is made of; empty if it is a part of the seller's own cloud."""
    return str(resources.get("region", ""))


def check_resold(resources: Mapping[str, Any], quota: Mapping[str, int], place: str = "$") -> None:
    """Check what a resold region says.

    Raises:
        DocumentError: it promises what only the cloud that carries it can keep.
    """
    if not resold(resources):
        return
    for name in _NOT_RESOLD:
        if resources.get(name):
            raise DocumentError(
                f"{place}.resources.{name}", "expected none in a resold region: agree on them with its provider"
            )
    if quota:
        raise DocumentError(
            f"{place}.quota", "expected none in a resold region: agree on it with its provider, who counts"
        )


def check_circle(cloud: str, owners: Collection[str]) -> None:
    """Check that a cloud does not buy what comes from it.

    Raises:
        CircleError: it would.
    """
    if cloud in owners:
        path = " <- ".join(owners)
        raise CircleError(f"The region comes from {path}: {cloud} would have a part of its own cloud by way of others.")


def check_owners(terms: Terms, owners: tuple[str, ...]) -> None:
    """Check that terms name the clouds behind a region, and promise nothing that only these can keep.

    Raises:
        OwnersError: they name others.
        DocumentError: a quota that nobody would count.
    """
    if terms.owners != owners:
        expected, found = (", ".join(names) or "none" for names in (owners, terms.owners))
        raise OwnersError(f"Expected terms with owners {expected}, got {found}: counter, and they are filled in.")
    if owners and terms.quota:
        raise DocumentError("$.terms.quota", "expected none for a resold region: its provider alone could count")
