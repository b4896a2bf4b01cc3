"""Projects in this cloud's Keystone that stand for those of other clouds: made with the gateway's account, `trust.account`."""

from typing import Final
from urllib.parse import quote

from openstackoid.core.errors import PeerError, ProjectError
from openstackoid.gateway.federation.keystone_api import KeystoneApi

_OK: Final = 200
_CREATED: Final = 201
_CONFLICT: Final = 409
_FAILED: Final = 500


class RefusedProjectError(ProjectError):
    """No project was made: Keystone refused, or was not asked."""


class KeystoneProjects:
    """Makes projects.

    Args:
        api: requests to Keystone.
    """

    def __init__(self, api: KeystoneApi) -> None:
        self._api = api

    async def make(self, name: str, domain: str, description: str) -> str:
        """The id of the project of this name, which is created if it does not exist.

        Raises:
            RefusedProjectError: the project was certainly not created.
            OpenStackoidError: Keystone failed, and may have created the project.
        """
        if not self._api.has_account:
            raise RefusedProjectError(
                "A project must be made for users of another cloud, and the gateway has no account for that: trust.account."
            )
        # Look first: another gateway may have created it before it was killed, and Keystone logs a conflict with a traceback.
        try:
            project = await self._find(name, domain)
        except PeerError as error:
            raise RefusedProjectError(f"Keystone cannot be asked for a project: {error}") from None
        if project is not None:
            return project
        body = {"project": {"name": name, "domain_id": domain, "description": description, "enabled": True}}
        status, answer = await self._api.by_account("POST", "/v3/projects", body=body)
        if status == _CREATED:
            return str(answer["project"]["id"])
        project = await self._find(name, domain) if status == _CONFLICT else None
        if project is not None:
            return project
        kind = RefusedProjectError if status < _FAILED else ProjectError
        raise kind(f"Keystone refused to make the project {name} in the domain {domain}, with status {status}.")

    async def _find(self, name: str, domain: str) -> str | None:
        path = f"/v3/projects?name={quote(name)}&domain_id={quote(domain)}"
        status, answer = await self._api.by_account("GET", path)
        return str(answer["projects"][0]["id"]) if status == _OK and answer.get("projects") else None
