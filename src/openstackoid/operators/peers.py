"""`openstackoid peer`: agreements, made and changed."""

import argparse
import sys
from dataclasses import asdict
from typing import Any, Final

from openstackoid.core.catalog import base_url
from openstackoid.core.errors import OpenStackoidError, PeerError
from openstackoid.gateway.settings.config import Config
from openstackoid.gateway.settings.peering import is_safe
from openstackoid.operators import discovery, grants, registry
from openstackoid.operators.discovery import Found
from openstackoid.output import as_json, fields, refuse, table
from openstackoid.trust.agreements import Grant, is_fingerprint
from openstackoid.trust.rings import Ring
from openstackoid.trust.store import AgreementExistsError, Store, UnknownPeerError

_SOON: Final = "Gateways take it within a second."


class RefusedError(OpenStackoidError):
    """The operator did not say yes, or what was said does not agree with what is there."""

    status = 403
    code = "peer.refused"


def add(arguments: argparse.Namespace) -> int:
    """Note a peer, after its operator's fingerprint was compared."""
    grant = _chosen(arguments, Grant())
    if arguments.yes and not arguments.fingerprint:
        refuse(arguments, "--yes needs --fingerprint: somebody must have compared it")
    url = _url(arguments)
    _check_fingerprint(arguments)
    with registry.trusting(arguments) as (config, store):
        found = discovery.look(url, config.ca)
        name = found.cloud.name
        _check_name(arguments, config, store, name)
        pinned = arguments.fingerprint or found.fingerprint
        _descends(found, pinned)
        services = ", ".join(sorted(found.cloud.services)) or "none"
        print(fields([("cloud", name), ("url", url), ("fingerprint", found.fingerprint), ("services", services)]))
        print(f"\n{name} may do here{'' if arguments.allow else ', once you allow it'}:")
        _print_grant(grant, config)
        if not arguments.yes:
            asked = f"Add {name}?" if arguments.fingerprint else "Is this the fingerprint that its operator told you?"
            _ask(asked)
        by = registry.operator()
        store.add(name, url, pinned, grant, by)
        store.remember_keys(name, found.keys)
        if arguments.allow:
            store.change(name, "allow", by)
            print(f"{name} is allowed. {_SOON}")
        else:
            print(f"{name} is proposed. To say yes: openstackoid peer allow {name}")
        print(f"Its operator must do the same for {config.cloud}: to read out: openstackoid key show")
    return 0


def list_(arguments: argparse.Namespace) -> int:
    """All peers, of the database and of the file."""
    with registry.opened_if_any(arguments) as (config, store):
        entries = registry.entries(config, store)
    if arguments.format == "json":
        print(as_json(entries))
        return 0
    rows = [
        (
            entry["name"],
            entry["state"],
            entry["from"],
            entry["token"],
            entry["url"],
            _offer(entry),
        )
        for entry in entries
    ]
    print(table(("Peer", "State", "From", "Token", "URL", "May use here"), rows) if rows else "no peers")
    return 0


def show(arguments: argparse.Namespace) -> int:
    """Both sides of an agreement."""
    with registry.opened_if_any(arguments) as (config, store):
        entries = registry.entries(config, store)
        projects = store.projects.all(arguments.name) if store else []
    entry = next((each for each in entries if each["name"] == arguments.name), None)
    if entry is None:
        names = ", ".join(each["name"] for each in entries) or "none"
        raise UnknownPeerError(f"No peer {arguments.name}. There are: {names}.")
    frontend = next(iter(config.services.values())).frontend
    seen = discovery.seen_by_gateway(frontend, config.ca)
    theirs = (seen or {}).get(arguments.name)
    if arguments.format == "json":
        print(as_json(entry | {"projects": dict(projects), "gateway": theirs}))
        return 0
    print(fields([(key, entry[key]) for key in ("name", "state", "from", "token", "url", "fingerprint", "agreement")]))
    if entry["grant"]:
        print("\nOur side, what it may do here:")
        _print_grant(Grant.model_validate(entry["grant"]), config)
    if projects:
        print("\n" + table(("Project of theirs", "Ours"), projects))
    print("\nTheir side, as our gateway sees it:")
    if theirs is None:
        why = "does not answer" if seen is None else f"does not know {arguments.name} yet"
        print(f"  unknown: the gateway at {frontend} {why}")
        return 0
    print(_indented(fields(_their_side(theirs))))
    return 0


def allow(arguments: argparse.Namespace) -> int:
    """Say yes."""
    with registry.trusting(arguments) as (config, store):
        before = registry.changeable(arguments, config, store)
        grant = _chosen(arguments, before.grant) if grants.given(arguments) else None
        after = store.change(arguments.name, "allow", registry.operator(), grant)
    if after is None:  # by another, in this very moment
        raise UnknownPeerError(f"No agreement with {arguments.name}.")
    print(f"{after.peer} may do here:")
    _print_grant(after.grant, config)
    print(f"{after.peer} is allowed. {_SOON}")
    return 0


def suspend(arguments: argparse.Namespace) -> int:
    """Take the yes back."""
    with registry.trusting(arguments) as (config, store):
        registry.changeable(arguments, config, store)
        store.change(arguments.name, "suspend", registry.operator())
    print(f"{arguments.name} is suspended. {_SOON} To say yes again: openstackoid peer allow {arguments.name}")
    return 0


def remove(arguments: argparse.Namespace) -> int:
    """End it."""
    with registry.trusting(arguments) as (config, store):
        registry.changeable(arguments, config, store)
        bound = store.projects.all(arguments.name)
        store.change(arguments.name, "remove", registry.operator())
    if bound:
        # They are forgotten here, and people may have things in them.
        print("These projects of ours stood for projects of theirs. They are still there, and so is what is in them:")
        print(table(("Project of theirs", "Ours"), bound))
    print(f"{arguments.name} is removed. {_SOON}")
    return 0


def trust(arguments: argparse.Namespace) -> int:
    """Pin another key."""
    _check_fingerprint(arguments)
    with registry.trusting(arguments) as (config, store):
        before = registry.changeable(arguments, config, store)
        try:
            found = discovery.look(before.url, config.ca)
        except PeerError as error:
            print(f"Not compared with what {before.peer} publishes: {error}", file=sys.stderr)
        else:
            if found.cloud.name != before.peer:
                raise RefusedError(f"{before.url} is a gateway of {found.cloud.name} now, not of {before.peer}.")
            _descends(found, arguments.fingerprint)
        store.repin(arguments.name, arguments.fingerprint, registry.operator())
    print(f"{arguments.name} is trusted by the key {arguments.fingerprint} from now on, by no other. {_SOON}")
    return 0


def history(arguments: argparse.Namespace) -> int:
    """Who changed what when."""
    with registry.trusting(arguments) as (_, store):
        events = store.history(arguments.name)
    if arguments.format == "json":
        print(as_json([asdict(event) for event in events]))
        return 0
    rows = [
        (event.time, event.peer, event.event, event.by, event.state or "gone", event.agreement, _detail(event.detail))
        for event in events
    ]
    head = ("Time", "Peer", "Event", "By", "State", "Agreement", "What")
    print(table(head, rows) if rows else "no changes yet")
    return 0


# What they share.


def _check_name(arguments: argparse.Namespace, config: Config, store: Store, name: str) -> None:
    if name == config.cloud:
        raise RefusedError(
            f"{arguments.url} is a gateway of {name}, which is this cloud. Its URL or its name is wrong."
        )
    if name in config.peers:
        raise AgreementExistsError(f"{name} stands in {arguments.config} already (peers.{name}): edit the file.")
    if any(each.peer == name for each in store.agreements()):
        raise AgreementExistsError(f"There is an agreement with {name} already; see: openstackoid peer show {name}")


def _check_fingerprint(arguments: argparse.Namespace) -> None:
    if arguments.fingerprint is not None and not is_fingerprint(arguments.fingerprint):
        refuse(
            arguments,
            f"--fingerprint: expected 43 characters of base64url, as openstackoid key show prints them, "
            f"got {arguments.fingerprint!r}",
        )


def _descends(found: Found, fingerprint: str) -> None:
    try:
        Ring(found.keys, fingerprint)
    except ValueError as error:
        raise RefusedError(
            f"{found.cloud.name}: {error}. Ask its operator, not over this connection, what openstackoid key show prints there."
        ) from None


def _url(arguments: argparse.Namespace) -> str:
    try:
        url = base_url(arguments.url)
    except ValueError as error:
        refuse(arguments, f"URL: {error}")
    if not is_safe(url):
        refuse(arguments, f"URL: expected https, for nobody may listen to what federated clouds say; got {url}")
    return url


def _chosen(arguments: argparse.Namespace, before: Grant) -> Grant:
    try:
        return grants.chosen(arguments, before)
    except grants.GrantError as error:
        refuse(arguments, str(error))


def _ask(question: str) -> None:
    print(f"{question} [y/N] ", end="", flush=True)
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):
        print()
    if answer.strip().lower() not in {"y", "yes"}:
        raise RefusedError("Nothing was changed. Without questions: --fingerprint FP --yes")


def _print_grant(grant: Grant, config: Config) -> None:
    print(_indented(fields(grants.words(grant))))
    if missing := sorted(set(grant.offered) - config.here.services.keys()):
        print(f"  This cloud serves no {', no '.join(missing)}.")
    if why := grants.empty(grant):
        print(f"  Nobody of theirs gets in with that: {why}")


def _offer(entry: registry.Entry) -> str:
    if entry["grant"] is None:
        return "all (its users' own tokens)"
    return ", ".join(Grant.model_validate(entry["grant"]).offered) or "nothing"


def _detail(detail: Any) -> str:
    """In short; all of it is in JSON."""
    parts = [str(detail[key]) for key in ("url", "fingerprint") if key in detail]
    if "grant" in detail:
        try:
            offered = Grant.model_validate(detail["grant"]).offered
            parts.append(f"may use {', '.join(offered) or 'nothing'}")
        except ValueError:  # of another version
            parts.append("another grant")
    return "; ".join(parts)


def _their_side(told: dict[str, Any]) -> list[tuple[str, object]]:
    agreement = told.get("agreement")
    agreement = agreement if isinstance(agreement, dict) else {}
    offered = agreement.get("offered_there")
    lines = [
        ("their gateway", told.get("state")),
        ("their yes", agreement.get("theirs", "unknown")),
        ("our users may use there", ", ".join(map(str, offered)) if isinstance(offered, list) else None),
    ]
    return [*lines, ("error", told["error"])] if told.get("error") else lines


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
