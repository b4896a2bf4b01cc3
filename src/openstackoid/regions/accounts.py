"""Which accounts a provider's control plane has for a domain, a project, and for what only admins may."""

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import aiohttp

from openstackoid.regions.config import Admin, DomainManager, Provider
from openstackoid.regions.errors import AccountRefusedError, ServiceFailedError
from openstackoid.regions.service_account import Login, ServiceAccount, refusal

_OK, _NO_CONTENT, _NOT_FOUND = 200, 204, 404
_MEMBER: Final = "member"
_MANAGERS: Final = frozenset({"manager", "admin"})


@dataclass(frozen=True, slots=True)
class Accounts:
    """A provider's accounts.

    Attributes:
        url: of Keystone, with `/v3`.
        section: of the configuration.
        session: for requests.
    """

    url: str
    section: Provider
    session: aiohttp.ClientSession

    def domain(self, domain: str) -> ServiceAccount:
        """The manager of a region's domain."""
        return self._account(self.section.manager, domain, {"domain": {"id": domain}})

    def admin(self) -> ServiceAccount | None:
        """The account for what only admins may; None if there is none."""
        about: Admin | None = self.section.admin
        if about is None:
            return None
        scope = {"project": {"name": about.project_name, "domain": {"name": about.project_domain_name}}}
        where = {"name": about.user_domain_name}
        return ServiceAccount(Login(self.url, about.username, about.password_file, where, scope), self.session)

    async def member(self, manager: ServiceAccount, domain: str, project: str) -> ServiceAccount:
        """The manager of a domain as a member of one of its projects, a role that it gives itself.

        Raises:
            AccountRefusedError: Keystone's policies do not let it.
            ServiceFailedError: Keystone does not answer.
        """
        token = await manager.described()
        status, answer = await manager.keystone("GET", f"/roles?name={_MEMBER}")
        roles = answer.get("roles") if status == _OK else None
        if not roles:
            raise AccountRefusedError(f"{manager.name} may not list the role {_MEMBER}: {refusal(status, answer)}")
        path = f"/projects/{quote(project, safe='')}/users/{token['user']['id']}/roles/{roles[0]['id']}"
        status, answer = await manager.keystone("PUT", path)
        if status != _NO_CONTENT:
            raise AccountRefusedError(
                f"{manager.name} may not give itself the role {_MEMBER} in the project {project}: {refusal(status, answer)}. "
                "It has to be a user of that domain."
            )
        return self._account(self.section.manager, domain, {"project": {"id": project}})

    def _account(self, about: DomainManager, domain: str, scope: dict[str, Any]) -> ServiceAccount:
        where = {"id": domain} if about.user_domain_name is None else {"name": about.user_domain_name}
        return ServiceAccount(Login(self.url, about.username, about.password_file, where, scope), self.session)


async def check_manager(manager: ServiceAccount, domain: str) -> None:
    """Check that an account can look after a domain: it has the role there, and sees the domain and its projects.

    Raises:
        AccountRefusedError: it has not; says what is missing.
        ServiceFailedError: Keystone does not answer.
    """
    roles = {str(role.get("name")) for role in (await manager.described()).get("roles", [])}
    if not roles & _MANAGERS:
        raise AccountRefusedError(f"{manager.name} has the roles {', '.join(sorted(roles))}: manager is missing.")
    status, answer = await manager.keystone("GET", f"/domains/{quote(domain, safe='')}")
    if status != _OK:
        raise AccountRefusedError(f"{manager.name} does not see the domain: {refusal(status, answer)}.")
    if not answer.get("domain", {}).get("enabled", True):
        raise AccountRefusedError(f"The domain {domain} is disabled: openstack domain set --enable {domain}.")
    status, answer = await manager.keystone("GET", f"/projects?domain_id={quote(domain, safe='')}")
    if status != _OK:
        raise AccountRefusedError(f"{manager.name} may not list the domain's projects: {refusal(status, answer)}.")


async def delete_project(manager: ServiceAccount, project: str) -> bool:
    """Delete a project; one that is not there is deleted. Returns whether it was there.

    Keystone answers a domain manager 403 about a project that is gone: there is nothing whose domain could be compared. So it is asked first.

    Raises:
        AccountRefusedError: Keystone refuses.
        ServiceFailedError: Keystone does not answer.
    """
    if await project_of(manager, project) is None:
        return False
    status, answer = await manager.keystone("DELETE", f"/projects/{quote(project, safe='')}")
    if status not in {_NO_CONTENT, _NOT_FOUND}:
        raise AccountRefusedError(f"{manager.name} may not delete the project {project}: {refusal(status, answer)}.")
    return True


async def project_of(manager: ServiceAccount, project: str) -> dict[str, Any] | None:
    """A project of the manager's domain as Keystone describes it; None if the domain has none of this id.

    Raises:
        AccountRefusedError, ServiceFailedError: Keystone refuses, or does not answer.
    """
    domain = (await manager.described()).get("domain", {}).get("id", "")
    status, answer = await manager.keystone("GET", f"/projects?domain_id={quote(str(domain), safe='')}")
    if status != _OK or not isinstance(answer.get("projects"), list):
        raise ServiceFailedError(f"Keystone does not list the domain's projects: {refusal(status, answer)}.")
    if answer.get("truncated"):
        raise ServiceFailedError("Keystone does not list all of the domain's projects: its list_limit is too low.")
    return next((found for found in answer["projects"] if found.get("id") == project), None)


async def set_enabled(manager: ServiceAccount, project: str, *, enabled: bool) -> None:
    """Enable or disable a project.

    Raises:
        AccountRefusedError, ServiceFailedError: Keystone refuses, or does not answer.
    """
    body = {"project": {"enabled": enabled}}
    status, answer = await manager.keystone("PATCH", f"/projects/{quote(project, safe='')}", body)
    if status != _OK:
        raise AccountRefusedError(f"{manager.name} may not change the project {project}: {refusal(status, answer)}.")
