"""Checks of HAProxy: which one runs, and whether it has the configuration that the gateway's file means now."""

import argparse
import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from openstackoid.core.errors import OpenStackoidError
from openstackoid.haproxy.admin import Admin, AdminError
from openstackoid.operators.doctor.finding import Finding, failed, ok
from openstackoid.operators.haproxy import DIGEST
from openstackoid.operators.haproxy_files import digest, outdated
from openstackoid.operators.haproxy_plan import plan_for

_APPLY: Final = "openstackoid haproxy apply"


def haproxy(path: Path) -> Iterator[Finding]:
    """Whether it runs, and with the files that would be written now."""
    try:
        plan = plan_for(argparse.Namespace(config=path, out=None))
    except OpenStackoidError as error:
        yield failed("HAProxy", str(error), "Its configuration needs the services' addresses: see Keystone above")
        return
    try:
        info = asyncio.run(Admin(plan.socket).ask("show info"))
    except AdminError as error:
        yield failed(
            "HAProxy", str(error), "systemctl start openstackoid-haproxy; then: journalctl -u openstackoid-haproxy"
        )
        return
    facts = dict(line.partition(": ")[::2] for line in info.splitlines())
    yield ok("HAProxy", f"version {facts.get('Version')} runs since {facts.get('Uptime')}")
    changed = outdated(plan)
    marker = plan.file(DIGEST)
    if changed:
        yield failed("HAProxy's configuration", f"not as the gateway's file says now: {', '.join(changed)}", _APPLY)
    elif not marker.exists() or marker.read_text() != digest(plan):
        yield failed("HAProxy's configuration", "written, and not in force yet", _APPLY)
    else:
        yield ok("HAProxy's configuration", "in force as the gateway's file says")
