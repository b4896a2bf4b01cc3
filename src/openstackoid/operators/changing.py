"""Change an agreement: say yes, take it back, end it."""

import argparse

from openstackoid.gateway.operating import peers
from openstackoid.operators import grants, registry
from openstackoid.operators.adding import SOON
from openstackoid.output import table
from openstackoid.trust.store import UnknownPeerError


def allow(arguments: argparse.Namespace) -> int:
    """Say yes."""
    with registry.trusting(arguments.config) as (config, store):
        before = peers.changeable(arguments.name, config, store, arguments.config)
        grant = grants.chosen_or_refuse(arguments, before.grant) if grants.given(arguments) else None
        after = store.change(arguments.name, "allow", registry.operator(), grant)
    if after is None:  # by another, in this very moment
        raise UnknownPeerError(f"No agreement with {arguments.name}.")
    print(f"{after.peer} may do here:")
    print("\n".join(f"  {line}" for line in grants.lines(after.grant, config)))
    print(f"{after.peer} is allowed. {SOON}")
    return 0


def suspend(arguments: argparse.Namespace) -> int:
    """Take the yes back."""
    with registry.trusting(arguments.config) as (config, store):
        peers.changeable(arguments.name, config, store, arguments.config)
        store.change(arguments.name, "suspend", registry.operator())
    print(f"{arguments.name} is suspended. {SOON} To say yes again: openstackoid peer allow {arguments.name}")
    return 0


def forget(arguments: argparse.Namespace) -> int:
    """Forget which projects of ours stand for projects of theirs that are gone."""
    with registry.trusting(arguments.config) as (config, store):
        if arguments.name not in {entry["name"] for entry in peers.entries(config, store)}:
            raise UnknownPeerError(f"No agreement with {arguments.name}.")
        forgotten = [
            (project, store.forget_project(arguments.name, project, registry.operator()))
            for project in arguments.project
        ]
    bound = [(project, local) for project, local in forgotten if local is not None]
    if bound:
        print("These projects of ours stand for nothing any more. They are still there, and so is what is in them:")
        print(table(("Project of theirs", "Ours"), bound))
    for project, local in forgotten:
        if local is None:
            print(f"No project stands for {project}; see: openstackoid peer show {arguments.name}")
    return 0 if bound else 1


def remove(arguments: argparse.Namespace) -> int:
    """End it."""
    with registry.trusting(arguments.config) as (config, store):
        peers.changeable(arguments.name, config, store, arguments.config)
        bound = store.projects.all(arguments.name)
        store.change(arguments.name, "remove", registry.operator())
    if bound:
        # They are forgotten here, and people may have things in them.
        print("These projects of ours stood for projects of theirs. They are still there, and so is what is in them:")
        print(table(("Project of theirs", "Ours"), bound))
    print(f"{arguments.name} is removed. {SOON}")
    return 0
