"""Keystone: identity."""

import uuid
from pathlib import Path
from typing import Any

from . import common

DATABASES = ("keystone",)


def preload() -> None:
    """Import keystone."""
    common.load(("keystone.server.wsgi", "keystone.server.flask.application", "keystone.cmd.bootstrap"))
    common.load(
        ("dogpile.cache.backends.memory", "keystone.credential.providers.fernet", "keystone.token.providers.fernet")
    )
    common.load_drivers("keystone", "keystone.")


def configure(etc: str) -> None:
    """Read the configuration, as keystone-manage does."""
    import keystone.server  # noqa: PLC0415

    keystone.server.configure(config_files=[f"{etc}/keystone.conf"])


def make_schema(folder: Path, urls: dict[str, str]) -> None:
    """Run keystone's migrations."""
    from keystone.common.sql import upgrades  # noqa: PLC0415

    (folder / "keystone.conf").write_text(f"[database]\nconnection = {urls['keystone']}\n")
    configure(str(folder))
    upgrades.offline_sync_database_to_version()


def prepare(order: dict[str, Any]) -> None:
    """Do what ``keystone-manage fernet_setup, credential_setup, bootstrap`` do, and create accounts and the catalog.

    Everything here may already exist: an interrupted start is repeated.
    """
    content = order["content"]
    configure(order["etc"])
    make_keys()
    if Path(order["done"]).exists():
        return
    from keystone.cmd import bootstrap  # noqa: PLC0415
    from keystone.common import provider_api  # noqa: PLC0415

    strapper: Any = bootstrap.Bootstrapper()
    strapper.admin_username = "admin"
    strapper.admin_password = content["admin_password"]
    strapper.project_name = "admin"
    strapper.admin_role_name = "admin"
    strapper.region_id = content["region"]
    strapper.service_name = "keystone"
    strapper.public_url = strapper.internal_url = strapper.admin_url = content["catalog"]["identity"]
    strapper.bootstrap()
    Content(provider_api.ProviderAPIs, strapper, content).create()
    Path(order["done"]).touch()


def make_keys() -> None:
    """Make this cloud's own keys for tokens and for stored credentials."""
    import keystone.conf  # noqa: PLC0415
    from keystone.common import fernet_utils  # noqa: PLC0415

    conf = keystone.conf.CONF
    for group in ("fernet_tokens", "fernet_receipts", "credential"):
        folder = Path(conf[group].key_repository)
        if folder.is_dir() and any(folder.iterdir()):
            continue
        keys: Any = fernet_utils.FernetUtils(str(folder), 3, group)
        keys.create_key_directory()
        keys.initialize_key_repository()


class Content:
    """The accounts, projects and catalog of a cloud, through keystone's own managers."""

    def __init__(self, providers: Any, strapper: Any, content: dict[str, Any]) -> None:
        self.providers = providers
        self.roles = {"admin": strapper.admin_role_id, "member": strapper.member_role_id}
        self.roles["service"] = strapper.service_role_id
        self.domain = strapper.default_domain_id
        self.content = content

    def create(self) -> None:
        """Create what is missing."""
        service = self.project("service", "OpenStack's own services")
        for name, password in self.content["service_passwords"].items():
            user = self.user(name, password, service)
            # 'service' marks service tokens (keystonemiddleware's service_token_roles), 'admin' lets nova bind ports.
            self.grant(user, service, "service")
            self.grant(user, service, "admin")
        member = self.content["member"]
        demo = self.project(member["project"], "A project of this cloud only")
        self.grant(self.user(member["name"], member["password"], demo), demo, "member")
        for kind, url in self.content["catalog"].items():
            if kind != "identity":
                self.endpoints(kind, self.content["names"][kind], url)

    def project(self, name: str, description: str) -> str:
        """Find or create a project; its id."""
        from keystone import exception  # noqa: PLC0415

        api = self.providers.resource_api
        try:
            project_id: str = api.get_project_by_name(name, self.domain)["id"]
        except exception.ProjectNotFound:
            project_id = uuid.uuid4().hex
            fields = {
                "id": project_id,
                "name": name,
                "domain_id": self.domain,
                "enabled": True,
                "description": description,
            }
            api.create_project(project_id, fields)
        return project_id

    def user(self, name: str, password: str, project: str) -> str:
        """Find or create a user; its id."""
        from keystone import exception  # noqa: PLC0415

        api = self.providers.identity_api
        try:
            user_id: str = api.get_user_by_name(name, self.domain)["id"]
        except exception.UserNotFound:
            fields = {"name": name, "domain_id": self.domain, "password": password, "enabled": True}
            user_id = api.create_user({**fields, "default_project_id": project})["id"]
        return user_id

    def grant(self, user: str, project: str, role: str) -> None:
        """Give a user a role in a project."""
        from keystone import exception  # noqa: PLC0415

        try:
            self.providers.assignment_api.add_role_to_user_and_project(user, project, self.roles[role])
        except exception.Conflict:
            return

    def endpoints(self, kind: str, name: str, url: str) -> None:
        """Create a service of the catalog with its three endpoints."""
        api = self.providers.catalog_api
        service = next((existing for existing in api.list_services() if existing["type"] == kind), None)
        if service is None:
            service = {"id": uuid.uuid4().hex, "name": name, "type": kind, "enabled": True}
            api.create_service(service["id"], service)
        there = {existing["interface"] for existing in api.list_endpoints() if existing["service_id"] == service["id"]}
        for interface in sorted({"public", "internal", "admin"} - there):
            endpoint = {
                "id": uuid.uuid4().hex,
                "interface": interface,
                "region_id": self.content["region"],
                "service_id": service["id"],
                "url": url,
                "enabled": True,
            }
            api.create_endpoint(endpoint["id"], endpoint)


def application(order: dict[str, Any]) -> Any:
    """Give keystone's WSGI application, as keystone.wsgi.api does."""
    common.set_folder("OS_KEYSTONE_CONFIG_DIR", order["etc"])
    from keystone.server import wsgi  # noqa: PLC0415

    return wsgi.initialize_public_application()
