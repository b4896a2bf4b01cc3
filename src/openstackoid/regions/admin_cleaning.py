"""Removes what services leave to admins when a project is gone: its default security group, its quotas, and keypairs of its users."""

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import quote

from openstackoid.core.services import service_type
from openstackoid.regions import listing
from openstackoid.regions.errors import ServiceFailedError
from openstackoid.regions.objects import resource_kinds
from openstackoid.regions.objects.resource_kinds import KINDS
from openstackoid.regions.service_account import ServiceAccount, refusal

_NOT_FOUND: Final = 404
_GONE: Final = frozenset({_NOT_FOUND, 410})
# The first in which an admin names another user (nova/api/openstack/compute/rest_api_version_history.rst).
_OF_OTHERS: Final = {"OpenStack-API-Version": "compute 2.10"}


async def clean_as_admin(admin: ServiceAccount, project: str) -> None:
    """Remove what a service leaves to admins.

    Listing security groups makes a missing default one (neutron/db/securitygroups_db.py, get_security_groups), so this comes last, and deletes
    after it has listed.

    Args:
        admin: a project-scoped admin.
        project: id.

    Raises:
        AccountRefusedError, ServiceFailedError: the account is refused, or a service does not do it.
    """
    for service in (await admin.described()).get("catalog") or []:
        kind = service_type(str(service.get("type")))
        for endpoint in service.get("endpoints", []):
            if endpoint.get("interface") != "public" or kind not in {"network", "compute"}:
                continue
            row = next(row for row in KINDS if row.service == kind)
            base = resource_kinds.base(str(endpoint["url"]), row)
            if kind == "compute":
                await _checked(admin, "DELETE", f"{base}/os-quota-sets/{quote(project)}")
                continue
            groups = f"{base}/security-groups"
            answer = await _checked(admin, "GET", f"{groups}?project_id={quote(project)}")
            for group in answer.get("security_groups", []):
                if {group.get("project_id"), group.get("tenant_id")} - {None} == {project}:
                    await _checked(admin, "DELETE", f"{groups}/{quote(str(group['id']))}")
            await _checked(admin, "DELETE", f"{base}/quotas/{quote(project)}")


async def lists_keypairs(admin: ServiceAccount) -> None:
    """Check that an account may list the keypairs of other users.

    Raises:
        AccountRefusedError, ServiceFailedError: it may not, or nova does not answer.
    """
    for base in await _nova(admin):
        await _checked(admin, "GET", f"{base}/os-keypairs?user_id={'0' * 32}", of_others=True)


async def _nova(admin: ServiceAccount) -> list[str]:
    """Base URLs of nova in the catalog."""
    row = next(row for row in KINDS if row.service == "compute")
    return [
        resource_kinds.base(str(endpoint["url"]), row)
        for service in (await admin.described()).get("catalog") or []
        for endpoint in service.get("endpoints", [])
        if endpoint.get("interface") == "public" and service_type(str(service.get("type"))) == "compute"
    ]


async def remove_keypairs(admin: ServiceAccount, projects: Iterable[str]) -> None:
    """Remove the keypairs of all who ever had a server in some projects; these may be gone.

    Args:
        admin: a project-scoped admin.
        projects: ids of all projects of a contract that is over, whose users are nobody here any more.

    Raises:
        AccountRefusedError, ServiceFailedError: the account is refused, or nova does not do it.
    """
    for base in await _nova(admin):
        for project in projects:
            await _remove_keypairs(admin, base, project)


async def _remove_keypairs(admin: ServiceAccount, base: str, project: str) -> None:
    """The same for one project.

    Nova keeps keypairs by user, and lists neither users nor all keypairs; but it lists deleted servers with their users, until they are archived. A user
    whom this cloud's Keystone knows is one of its own, whoever made a server there: whose keypairs stay.
    """
    url = f"{base}/servers/detail?all_tenants=1&deleted=1&project_id={quote(project)}"
    status, answer, servers = await listing.whole(admin, url, "servers")
    if status >= 300:  # noqa: PLR2004 - any success
        raise ServiceFailedError(f"{admin.name}: nova does not list deleted servers: {refusal(status, answer)}.")
    for user in sorted({str(server.get("user_id")) for server in servers if server.get("tenant_id") == project}):
        known, answer = await admin.keystone("GET", f"/users/{quote(user, safe='')}")
        if known != _NOT_FOUND:
            continue
        keys = f"{base}/os-keypairs"
        whose = f"user_id={quote(user, safe='')}"
        answer = await _checked(admin, "GET", f"{keys}?{whose}", of_others=True)
        for entry in answer.get("keypairs", []):
            name = quote(str(entry["keypair"]["name"]), safe="")
            await _checked(admin, "DELETE", f"{keys}/{name}?{whose}", of_others=True)


async def _checked(admin: ServiceAccount, method: str, url: str, *, of_others: bool = False) -> dict[str, Any]:
    status, answer = await admin.call(method, url, None, _OF_OTHERS if of_others else None)
    if status >= 300 and status not in _GONE:  # noqa: PLR2004 - any success
        what = url.partition("?")[0].rpartition("/")[2]
        raise ServiceFailedError(f"{admin.name}: {method} {what}: {refusal(status, answer)}.")
    return answer if isinstance(answer, dict) else {}
