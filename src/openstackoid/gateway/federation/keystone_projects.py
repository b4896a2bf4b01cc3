"""Projects in this cloud's Keystone that stand for those of other clouds: made with the gateway's account, `trust.account`.

What the gateway disables (`absent_projects`) gets a tag in the same request, so that it never enables what operators have disabled.
"""

from typing import Final
from urllib.parse import quote

from openstackoid.core.catalog import Json
from openstackoid.core.errors import BackendUnreachableError, PeerError, ProjectError
from openstackoid.gateway.federation.keystone_api import KeystoneApi

TAG: Final = "openstackoid-gone-at-home"
_OK: Final = 200
_FORBIDDEN: Final = 403
_MISSING: Final = 404
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
            await self._enabled(project)
            return str(project["id"])
        body = {"project": {"name": name, "domain_id": domain, "description": description, "enabled": True}}
        status, answer = await self._api.by_account("POST", "/v3/projects", body=body)
        if status == _CREATED:
            return str(answer["project"]["id"])
        project = await self._find(name, domain) if status == _CONFLICT else None
        if project is not None:
            return str(project["id"])
        kind = RefusedProjectError if status < _FAILED else ProjectError
        raise kind(f"Keystone refused to make the project {name} in the domain {domain}, with status {status}.")

    async def switch(self, project: str, *, enabled: bool) -> bool:
        """Disable a project and tag it, or enable one that is tagged. All others are as operators want them.

        Returns:
            False if the account may not; true also without an account, or if there is no such project.

        Raises:
            PeerError: Keystone does not work.
        """
        if not self._api.has_account:
            return True
        path = _path(project)
        status, answer = await self._api.by_account("GET", path)
        described = answer.get("project")
        if status == _OK and isinstance(described, dict):
            tags = [str(tag) for tag in described.get("tags") or []]
            if not (TAG in tags if enabled else described.get("enabled", True)):
                return True
            others = [tag for tag in tags if tag != TAG]
            change = {"enabled": enabled, "tags": others if enabled else [*others, TAG]}
            status, _ = await self._api.by_account("PATCH", path, body={"project": change})
        if status not in {_OK, _MISSING, _FORBIDDEN}:
            raise BackendUnreachableError(f"This cloud's identity service answered {status} when asked for a project.")
        return status != _FORBIDDEN

    async def _enabled(self, project: Json) -> None:
        """Enable a project that was gone at home, was forgotten here, and is wanted again.

        Raises:
            RefusedProjectError: Keystone does not allow it, or does not work.
        """
        if TAG not in (project.get("tags") or []):
            return
        try:
            allowed = await self.switch(str(project["id"]), enabled=True)
        except PeerError as error:
            raise RefusedProjectError(f"Keystone cannot be asked for a project: {error}") from None
        if not allowed:
            raise RefusedProjectError(
                f"The project {project['id']} is disabled, and the gateway's account may not enable it (identity:update_project)."
            )

    async def _find(self, name: str, domain: str) -> Json | None:
        path = f"/v3/projects?name={quote(name)}&domain_id={quote(domain)}"
        status, answer = await self._api.by_account("GET", path)
        found: Json | None = answer["projects"][0] if status == _OK and answer.get("projects") else None
        return found


def _path(project: str) -> str:
    return f"/v3/projects/{quote(project, safe='')}"
