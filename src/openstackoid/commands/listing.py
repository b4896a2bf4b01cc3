"""Every command of `openstackoid`: its words, the class that runs it, and the extra that brings what it needs.

A table, not entry points: cliff would read the metadata of every installed distribution at each start to find them. The modules named here
import cliff and the standard library alone, so that help, version and completion work in a plain install; what a command needs is
imported when it runs.
"""

import importlib
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class LazyCommand:
    """A command whose class is imported when it is asked for; cliff takes it for an entry point.

    Attributes:
        name: the words that call it, such as `peer add`.
        value: `module:Class` within `openstackoid`.
        extra: the extra of openstackoid that installs what it needs.
    """

    name: str
    value: str
    extra: str = "gateway"

    def load(self) -> Any:
        """Import the class."""
        module, _, name = self.value.partition(":")
        return getattr(importlib.import_module(f"openstackoid.{module}"), name)


@dataclass(frozen=True, slots=True)
class Group:
    """Commands that begin with the same words.

    Attributes:
        summary: what they are about, in one line.
        about: the same at length, with examples.
    """

    summary: str
    about: str


COMMANDS: Final = (
    LazyCommand("gateway", "gateway.cli:ServeGateway"),
    LazyCommand("peer add", "operators.cli.peer:AddPeer"),
    LazyCommand("peer list", "operators.cli.peer:ListPeers"),
    LazyCommand("peer show", "operators.cli.peer:ShowPeer"),
    LazyCommand("peer allow", "operators.cli.peer:AllowPeer"),
    LazyCommand("peer suspend", "operators.cli.peer:SuspendPeer"),
    LazyCommand("peer remove", "operators.cli.peer:RemovePeer"),
    LazyCommand("peer forget", "operators.cli.peer:ForgetProject"),
    LazyCommand("peer trust", "operators.cli.peer:TrustPeer"),
    LazyCommand("peer history", "operators.cli.peer:ShowHistory"),
    LazyCommand("key new", "operators.cli.key:NewKeys"),
    LazyCommand("key show", "operators.cli.key:ShowKeys"),
    LazyCommand("key rotate", "operators.cli.key:RotateKeys"),
    LazyCommand("doctor", "operators.cli.doctor:Diagnose"),
    LazyCommand("audit", "operators.cli.audit:ListAudit"),
    LazyCommand("database backup", "operators.cli.database:BackUpDatabase"),
    LazyCommand("database restore", "operators.cli.database:RestoreDatabase"),
    LazyCommand("database upgrade", "operators.cli.database:UpgradeDatabase"),
    LazyCommand("haproxy check", "operators.cli.haproxy:CheckHaproxy"),
    LazyCommand("haproxy render", "operators.cli.haproxy:RenderHaproxy"),
    LazyCommand("haproxy apply", "operators.cli.haproxy:ApplyHaproxy"),
    LazyCommand("lab up", "lab.cli:StartLab", "lab"),
    LazyCommand("lab status", "lab.cli:ListStatus", "lab"),
    LazyCommand("lab env", "lab.cli:PrintEnvironment", "lab"),
    LazyCommand("lab logs", "lab.cli:PrintLogs", "lab"),
    LazyCommand("lab down", "lab.cli:StopLab", "lab"),
    LazyCommand("lab reset", "lab.cli:ResetLab", "lab"),
    LazyCommand("oaktree serve", "oaktree.cli:ServeOaktree", "oaktree"),
    LazyCommand("oaktree call list", "oaktree.call.cli:ListResources", "oaktree"),
    LazyCommand("oaktree call get", "oaktree.call.cli:GetResource", "oaktree"),
    LazyCommand("oaktree call create", "oaktree.call.cli:CreateResource", "oaktree"),
    LazyCommand("oaktree call update", "oaktree.call.cli:UpdateResource", "oaktree"),
    LazyCommand("oaktree call delete", "oaktree.call.cli:DeleteResource", "oaktree"),
    LazyCommand("oaktree call upload", "oaktree.call.cli:UploadImage", "oaktree"),
    LazyCommand("oaktree call watch", "oaktree.call.cli:WatchResources", "oaktree"),
    LazyCommand("oaktree call clouds", "oaktree.call.cli:ListClouds", "oaktree"),
    LazyCommand("oaktree call kinds", "oaktree.call.cli:ListKinds", "oaktree"),
    LazyCommand("oaktree call rest", "oaktree.call.cli:ShowRest", "oaktree"),
    LazyCommand("oaktree call group build", "oaktree.call.cli:BuildGroup", "oaktree"),
    LazyCommand("oaktree call operation list", "oaktree.call.cli:ListOperations", "oaktree"),
    LazyCommand("oaktree call operation show", "oaktree.call.cli:ShowOperation", "oaktree"),
    LazyCommand("oaktree call operation wait", "oaktree.call.cli:WaitForOperation", "oaktree"),
    LazyCommand("oaktree call operation undo", "oaktree.call.cli:UndoOperation", "oaktree"),
    LazyCommand("manual", "commands.manual:PrintManual"),
    LazyCommand("regions serve", "regions.cli:ServeRegions", "regions"),
    LazyCommand("regions check", "regions.cli:CheckRegions", "regions"),
)

GROUPS: Final = {
    "peer": Group(
        "agreements with other clouds",
        """\
Agreements with other clouds. Each side says what it allows; nothing passes before both said yes.

  openstackoid peer add https://cloudtwo.example:8443 --service image
        looks at CloudTwo, shows the fingerprint of its key, and asks whether that is what CloudTwo's operator told you
  openstackoid peer allow CloudTwo
        says yes; from now on CloudTwo's users may use our images, under the roles that count here
  openstackoid peer show CloudTwo
        both sides, as our gateway sees them
  openstackoid peer suspend CloudTwo
        takes the yes back, within a second
""",
    ),
    "key": Group(
        "this cloud's keys",
        """\
This cloud's keys: with them it signs the tokens of its users in other clouds.

  openstackoid key new                                the first ones, in the file of trust.keys
  openstackoid key show                               the fingerprint to read out to other clouds' operators
  openstackoid key show -f value -c fingerprint       the same, for a script
  openstackoid key rotate                             a new key: published at once, used in ten minutes; peers follow by themselves
  openstackoid key rotate --compromised               drops all keys at once; every peer's operator must be told the new fingerprint
""",
    ),
    "database": Group(
        "back up, restore and upgrade the database of agreements",
        """\
The database of agreements and mapped projects (trust.database). All of it works while gateways run.

  openstackoid database backup FILE        a whole copy of SQLite's file, of one moment; FILE must not be there
  openstackoid database restore FILE       puts a copy into its place; gateways take it within a second
  openstackoid database upgrade            makes the tables that this version needs, as each gateway does when it starts

A suspension that is younger than the copy is not in it: look at "openstackoid peer list" after a restore.
PostgreSQL and MariaDB have programs of their own for copies.
""",
    ),
    "haproxy": Group(
        "HAProxy as the fast path before the gateway",
        """\
HAProxy as the fast path before the gateway: a request that no scope touches never reaches Python.

  openstackoid haproxy check               has HAProxy look at what would be written
  openstackoid haproxy render              writes it: haproxy.cfg, maps, errors
  haproxy -W -S /etc/openstackoid/haproxy/master.sock -f /etc/openstackoid/haproxy/haproxy.cfg
  openstackoid haproxy apply               after a change of the configuration: a reload that no connection notices
""",
    ),
    "lab": Group(
        "real OpenStack clouds on this machine",
        """\
Real OpenStack clouds on this machine, to try scopes on: two at first, each with a gateway and HAProxy.

  openstackoid lab up                                 starts the clouds, or what of them does not run
  eval "$(openstackoid lab env CloudOne)"             the openstack client uses CloudOne, as its member
  openstackoid lab status                             what runs; exit status 1 if something does not
  openstackoid lab down                               stops them; their data stay
""",
    ),
    "oaktree": Group(
        "one API for many clouds",
        """\
One API for many clouds: every cloud of a clouds.yaml behind one gRPC endpoint.

  openstackoid oaktree serve                              for yourself alone, on a Unix socket
  openstackoid oaktree call list servers                  every server of every cloud
  openstackoid oaktree call create image --help           in all of them at once
""",
    ),
    "oaktree call": Group(
        "ask an oaktree",
        """\
Ask an oaktree. Without a location, all of its clouds are asked.

  openstackoid oaktree call clouds
  openstackoid oaktree call list servers
  openstackoid oaktree call list servers --location CloudTwo --filter status=ACTIVE --sort name
  openstackoid oaktree call list flavors --query 'ram >= `1024`' -f json
  openstackoid oaktree call get image cirros-cloudtwo
  openstackoid oaktree call create network --set name=web --location CloudOne --location CloudTwo --undo
  openstackoid oaktree call watch server vm --until status=ACTIVE
  openstackoid oaktree call delete server vm
  openstackoid oaktree call kinds server

A KIND is "compute.server", or "server", or "servers"; 'call kinds' lists all of them.

exit codes: 0 every cloud answered; 1 it failed; 2 it was asked wrongly; 3 some clouds answered, some did not
""",
    ),
    "oaktree call group": Group(
        "resources of several kinds that refer to each other",
        """\
Resources of several kinds that refer to each other: they are created together, in each cloud, and undone together.
""",
    ),
    "oaktree call operation": Group(
        "what became of creates",
        """\
Creates are kept on record: what became of them, also when the answer was lost.
""",
    ),
    "regions": Group(
        "the control plane of virtual regions",
        """\
The control plane of virtual regions: a provider offers parts of its cloud, an aggregator requests contracts about them.

  openstackoid regions check --config /etc/openstackoid/regions.yaml
  openstackoid regions serve --config /etc/openstackoid/regions.yaml
        serves operators and other clouds' control planes; any number of processes serve one database
""",
    ),
}


def group_of(name: str) -> str:
    """The group of a command, or of a group: the longest one that its words begin with; empty if there is none."""
    return max((group for group in GROUPS if name.startswith(f"{group} ")), key=len, default="")
