"""What one simulated cloud is: its users' tokens, and its servers."""

import uuid
from dataclasses import dataclass
from typing import Any, Final

import orjson

DEMO: Final = "9fa2d65908f84b4ebbb486c9f53888fb"


@dataclass(frozen=True)
class Who:
    """Whose a token is."""

    user: str
    project: str  # its name

    @property
    def project_id(self) -> str:
        """The id of the project."""
        return DEMO if self.project == "demo" else uuid.uuid5(uuid.NAMESPACE_DNS, self.project).hex

    @property
    def admin(self) -> bool:
        """They see more of each server."""
        return self.user.startswith("admin")


class Cloud:
    """One of them."""

    def __init__(self, name: str, latency: float, servers: int) -> None:
        self.name = name
        self.latency = latency  # seconds
        self.fault: str | None = None
        self.build = 0
        self.everywhere = False
        self.users: dict[str, Who] = {}  # by token
        self.requests: list[tuple[float, str, str]] = []
        self.created = 0
        self.open = 0
        self.servers: dict[str, dict[str, Any]] = {}
        self._number = servers
        self._filled = 0
        self._projects: dict[str, str] = {DEMO: "demo"}  # name by id
        self._listed: dict[tuple[str, bool], bytes] = {}
        self.fill(servers)

    def fill(self, number: int) -> None:
        """Have this many servers in each project, changed a moment later than those of before."""
        self.servers = {}
        self._number = number
        self._filled += 1
        for project in self._projects:
            self._fill(project)

    def _fill(self, project: str) -> None:
        name = self.name if project == DEMO else f"{self.name}-{self._projects[project]}"
        for index in range(self._number):
            made = server(f"{name}-{index}", {})
            made["id"] = str(uuid.uuid5(uuid.NAMESPACE_DNS, made["name"]))
            made["tenant_id"] = project
            made["updated"] = f"2026-01-01T00:{self._filled // 60 % 60:02}:{self._filled % 60:02}Z"
            self.servers[made["id"]] = made
        self.changed()

    def enter(self, who: Who) -> str:
        """A token for somebody."""
        token = f"gAAAAA{uuid.uuid4().hex}"
        self.users[token] = who
        if who.project_id not in self._projects:
            self._projects[who.project_id] = who.project
            self._fill(who.project_id)
        return token

    def changed(self) -> None:
        """Something of the servers is not what it was."""
        self._listed.clear()

    def seen(self, who: Who) -> list[dict[str, Any]]:
        """The servers that somebody sees, as they see them."""
        mine = [each for each in self.servers.values() if each["tenant_id"] == who.project_id]
        return [each | {"OS-EXT-SRV-ATTR:host": f"host-of-{self.name}"} for each in mine] if who.admin else mine

    def listed(self, who: Who) -> bytes:
        """All of them, as nova lists them."""
        key = who.project_id, who.admin
        if key not in self._listed:
            self._listed[key] = orjson.dumps({"servers": self.seen(who)})
        return self._listed[key]

    def grow(self) -> None:
        """One more look at servers that are being built."""
        for each in self.servers.values():
            if each["status"] == "BUILD":
                each["progress"] = min(100, each["progress"] + 100 // max(1, self.build))
                if each["progress"] >= 100 or self.build == 0:
                    each["status"] = "ACTIVE"
                self.changed()


def server(name: str, asked: dict[str, Any]) -> dict[str, Any]:
    """One, as nova shows it, of what its creation asked for."""
    return {
        "id": str(uuid.uuid4()),
        "name": name,
        "status": "ACTIVE",
        "tenant_id": DEMO,
        "user_id": "0e8e6f2b7fd44a7f8d2f9d7ce2fe1f4e",
        "metadata": asked.get("metadata", {}),
        "hostId": "f" * 56,
        "image": {"id": asked.get("imageRef", "70a599e0-31e7-49b7-b260-868f441e862b"), "links": []},
        "flavor": {
            "vcpus": 1,
            "ram": 512,
            "disk": 1,
            "ephemeral": 0,
            "swap": 0,
            "original_name": "m1.tiny",
            "extra_specs": {},
        },
        "created": "2026-01-01T00:00:00Z",
        "updated": "2026-01-01T00:00:00Z",
        "addresses": {
            "private": [
                {
                    "version": 4,
                    "addr": "10.0.0.3",
                    "OS-EXT-IPS:type": "fixed",
                    "OS-EXT-IPS-MAC:mac_addr": "fa:16:3e:00:00:01",
                }
            ]
        },
        "accessIPv4": "",
        "accessIPv6": "",
        "links": [],
        "OS-DCF:diskConfig": "AUTO",
        "progress": 0,
        "OS-EXT-AZ:availability_zone": asked.get("availability_zone", "nova"),
        "config_drive": "",
        "key_name": asked.get("key_name"),
        "OS-SRV-USG:launched_at": "2026-01-01T00:00:01.000000",
        "OS-SRV-USG:terminated_at": None,
        "security_groups": [{"name": "default"}],
        "OS-EXT-STS:task_state": None,
        "OS-EXT-STS:vm_state": "active",
        "OS-EXT-STS:power_state": 1,
        "os-extended-volumes:volumes_attached": [],
        "locked": False,
        "description": None,
        "tags": [],
    }
