"""Add a peer and trust its key, after the fingerprint from the peer's operator was compared with the key that the peer's gateway publishes."""

import argparse
import asyncio
import sys
from typing import Final

from openstackoid.core.errors import PeerError
from openstackoid.gateway.operating import discovery, peers
from openstackoid.gateway.operating.peers import RefusedError
from openstackoid.operators import grants, registry
from openstackoid.output import fields, refuse
from openstackoid.trust.agreements import is_fingerprint
from openstackoid.trust.grants import Grant

SOON: Final = "Gateways take it within a second."


def add(arguments: argparse.Namespace) -> int:
    """Add a peer, after its operator's fingerprint was compared."""
    grant = grants.chosen_or_refuse(arguments, Grant())
    if arguments.yes and not arguments.fingerprint:
        refuse(arguments, "--yes needs --fingerprint: somebody must have compared it")
    url = _url(arguments)
    _check_fingerprint(arguments)
    with registry.trusting(arguments.config) as (config, store):
        peer = asyncio.run(discovery.look(url, config.ca))
        name = peer.cloud.name
        peers.check_new(name, arguments.url, config, store, arguments.config)
        pinned = arguments.fingerprint or peer.fingerprint
        peers.check_descent(peer, pinned)
        services = ", ".join(sorted(peer.cloud.services)) or "none"
        print(fields([("cloud", name), ("url", url), ("fingerprint", peer.fingerprint), ("services", services)]))
        print(f"\n{name} may do here{'' if arguments.allow else ', once you allow it'}:")
        print("\n".join(f"  {line}" for line in grants.lines(grant, config)))
        if not arguments.yes:
            asked = f"Add {name}?" if arguments.fingerprint else "Is this the fingerprint that its operator told you?"
            _ask(asked)
        by = registry.operator()
        store.add(name, url, pinned, grant, by)
        store.remember_keys(name, peer.keys)
        if arguments.allow:
            store.change(name, "allow", by)
            print(f"{name} is allowed. {SOON}")
        else:
            print(f"{name} is proposed. To say yes: openstackoid peer allow {name}")
        print(f"Its operator must do the same for {config.cloud}: to read out: openstackoid key show")
    return 0


def trust(arguments: argparse.Namespace) -> int:
    """Pin another key."""
    _check_fingerprint(arguments)
    with registry.trusting(arguments.config) as (config, store):
        before = peers.changeable(arguments.name, config, store, arguments.config)
        try:
            peer = asyncio.run(discovery.look(before.url, config.ca))
        except PeerError as error:
            print(f"Not compared with what {before.peer} publishes: {error}", file=sys.stderr)
        else:
            if peer.cloud.name != before.peer:
                raise RefusedError(f"{before.url} is a gateway of {peer.cloud.name} now, not of {before.peer}.")
            peers.check_descent(peer, arguments.fingerprint)
        store.repin(arguments.name, arguments.fingerprint, registry.operator())
    print(f"{arguments.name} is trusted by the key {arguments.fingerprint} from now on, by no other. {SOON}")
    return 0


# Parts of both.


def _check_fingerprint(arguments: argparse.Namespace) -> None:
    if arguments.fingerprint is not None and not is_fingerprint(arguments.fingerprint):
        refuse(
            arguments,
            f"--fingerprint: expected 43 characters of base64url, as openstackoid key show prints them, "
            f"got {arguments.fingerprint!r}",
        )


def _url(arguments: argparse.Namespace) -> str:
    try:
        return peers.safe_url(arguments.url)
    except ValueError as error:
        refuse(arguments, f"URL: {error}")


def _ask(question: str) -> None:
    print(f"{question} [y/N] ", end="", flush=True)
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):
        print()
    if answer.strip().lower() not in {"y", "yes"}:
        raise RefusedError("Nothing was changed. Without questions: --fingerprint FP --yes")
