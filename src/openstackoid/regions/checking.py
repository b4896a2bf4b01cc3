"""`openstackoid regions check`: what the accounts of a control plane lack, each right tried without harm, and the remedy."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final
from urllib.parse import quote

from openstackoid.core.errors import OpenStackoidError
from openstackoid.regions.accounts import Accounts, check_manager
from openstackoid.regions.admin_cleaning import lists_keypairs
from openstackoid.regions.catalog import Catalog
from openstackoid.regions.config import Config
from openstackoid.regions.control import Control, new_id
from openstackoid.regions.errors import AccountRefusedError
from openstackoid.regions.objects import by_hand
from openstackoid.regions.objects.states import RegionState
from openstackoid.regions.objects.virtual_region import VirtualRegion
from openstackoid.regions.service_account import ServiceAccount, refusal

_OK, _FORBIDDEN, _NOT_FOUND = 200, 403, 404
_UNKNOWN: Final = "0" * 32  # no project has this id


@dataclass(frozen=True, slots=True)
class Finding:
    """One right that was tried.

    Attributes:
        what: for people.
        fault: what is wrong; empty if nothing is.
        remedy: what to do about it; without a fault, what operators can do by hand.
    """

    what: str
    fault: str = ""
    remedy: str = ""


async def check(control: Control, config: Config, accounts: Accounts | None) -> list[Finding]:
    """Try every right that the configuration's sections need."""
    findings = []
    if control.catalog is not None:
        findings += await _aggregator(control.catalog, config)
    if accounts is not None:
        domains: dict[str, list[str]] = {}
        regions = await asyncio.to_thread(lambda: control.regions.all(retired=True))
        findings += await _unneeded(accounts, regions)
        for region in [region for region in regions if region.state is not RegionState.RETIRED]:
            domains.setdefault(region.domain_id, []).append(region.name)
        for domain, names in sorted(domains.items()):
            findings += await _manager(accounts, domain, ", ".join(names))
        findings += await _admin(accounts)
    for agreement in await asyncio.to_thread(control.peers.agreements):
        findings.append(
            await _tried(
                f"{agreement.peer} answers at {agreement.url}",
                partial(control.peers.offers, agreement.peer),
                f"openstackoid peer show {agreement.peer}; does its control plane serve, and does its gateway have peering.regions?",
            )
        )
    return findings


async def _aggregator(catalog: Catalog, config: Config) -> list[Finding]:
    about = config.aggregator
    name = about.username if about else ""
    remedy = f"openstack role add --user {name} --project {about.project_name if about else ''} admin"
    kinds = ("regions", "services", "endpoints", "projects", "domains", "users")
    findings = [await _tried(f"{name} lists {kind}", partial(catalog.entities, kind), remedy) for kind in kinds]
    # Deleting what is not there is refused with 403 by who may not, and with 404 by who may (keystone/api/regions.py, endpoints.py).
    for kind in ("regions", "services", "endpoints"):
        act = partial(catalog.may_delete, kind, _UNKNOWN)
        findings += [await _tried(f"{name} may delete {kind}", act, remedy)]
    return findings


async def _unneeded(accounts: Accounts, regions: Sequence[VirtualRegion]) -> list[Finding]:
    """Domains that no region needs any more, unless an admin sees that they are gone."""
    admin = accounts.admin()
    findings = []
    for domain, names in sorted(by_hand.unneeded(regions).items()):
        if admin is not None:
            with contextlib.suppress(OpenStackoidError):
                if (await admin.keystone("GET", f"/domains/{quote(domain, safe='')}"))[0] == _NOT_FOUND:
                    continue
        what = f"the domain {domain} is not needed any more: its regions ({', '.join(names)}) are retired"
        findings.append(Finding(what, remedy="; ".join(by_hand.commands(domain, regions))))
    return findings


async def _manager(accounts: Accounts, domain: str, regions: str) -> list[Finding]:
    user = accounts.section.manager.username
    manager = accounts.domain(domain)
    role = f"openstack role add --domain {domain} --user {user} --user-domain {domain} manager"
    logged_in = await _tried(
        f"{user} looks after the domain {domain} ({regions})",
        lambda: check_manager(manager, domain),
        f"openstack user create --domain {domain} --password-prompt {user}; {role}",
    )
    if logged_in.fault:
        return [logged_in]

    async def makes() -> None:
        """Make a project and remove it again: Keystone has no other way to tell."""
        body = {"project": {"name": f"check-{new_id()}", "domain_id": domain, "enabled": True}}
        status, answer = await manager.keystone("POST", "/projects", body)
        if status != 201:  # noqa: PLR2004 - Created
            raise AccountRefusedError(refusal(status, answer))
        project = answer["project"]["id"]
        try:
            member = await accounts.member(manager, domain, project)
            await member.described()
        finally:
            status, answer = await manager.keystone("DELETE", f"/projects/{quote(project, safe='')}")
        if status != 204:  # noqa: PLR2004 - No Content
            raise AccountRefusedError(f"the project {project} could not be deleted again: {refusal(status, answer)}")

    made = await _tried(f"{user} makes a project in {domain}, works in it as a member, and deletes it", makes, role)
    return [logged_in, made]


async def _admin(accounts: Accounts) -> list[Finding]:
    admin = accounts.admin()
    if admin is None:
        remedy = (
            "set provider.admin, or delete default security groups, quotas and keypairs of users by hand after a contract's end; "
            "use of disabled projects is not measured"
        )
        return [Finding("an admin for what services leave to admins", "there is none", remedy)]
    remedy = f"openstack role add --user {admin.name.split(' ')[0]} --project PROJECT admin"
    nova = f"{admin.name} lists keypairs of other users (those of users who never had a server stay in nova after a contract's end)"
    return [
        await _tried(f"{admin.name} is an admin", lambda: _is_admin(admin), remedy),
        await _tried(nova, lambda: lists_keypairs(admin), remedy),
        await _tried(f"{admin.name} lists all projects", lambda: _lists(admin), remedy),
    ]


async def _is_admin(admin: ServiceAccount) -> None:
    roles = sorted(str(role.get("name")) for role in (await admin.described()).get("roles", []))
    if "admin" not in roles:
        raise AccountRefusedError(f"it has the roles {', '.join(roles)}: admin is missing")


async def _lists(admin: ServiceAccount) -> None:
    status, answer = await admin.keystone("GET", "/projects?limit=1")
    if status != _OK:
        raise AccountRefusedError(refusal(status, answer))


async def _tried(what: str, act: Callable[[], Awaitable[object]], remedy: str) -> Finding:
    try:
        await act()
    except OpenStackoidError as error:
        return Finding(what, f"{error.code}: {error}", remedy)
    return Finding(what)
