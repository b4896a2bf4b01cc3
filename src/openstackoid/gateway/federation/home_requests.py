"""Requests that another cloud's services send to this cloud's on behalf of our own users, because the scope leaves a service here.

A user who takes only compute from another cloud leaves network at home: nova there asks home's neutron. Without a `home` rule that is refused,
and nova shows the refusal to the user. So the refusal names the service that asked, the cloud and service that it asked, and a scope that
does not need it.
"""

from typing import Final

from openstackoid.core import scope as scopes
from openstackoid.core.errors import RuleError
from openstackoid.core.scope import Name, Scope
from openstackoid.trust.agreements import Agreement, Statement
from openstackoid.trust.rules import Rule, allowed

# Nova reads the ports of servers that it shows: nova/api/openstack/compute/views/servers.py, `_add_security_grps`, and
# nova/network/security_group_api.py, `get_instances_security_groups_bindings`.
_PORTS: Final = Rule("network", "GET", "/v2.0/ports")


def check(cloud: str, agreement: Agreement, statement: Statement | None, scope: Scope, asked: Rule) -> None:
    """Check a request against the `home` rules of an agreement.

    Args:
        cloud: this cloud.
        agreement: our side, with the cloud that asks.
        statement: what that cloud offers us; None if it has not said.
        scope: of the user.
        asked: the request, whose path is not a pattern.

    Raises:
        RuleError: no rule allows it.
    """
    if allowed(agreement.grant.home, asked.service, asked.method, asked.path):
        return
    peer, service = agreement.peer, asked.service
    raise RuleError(
        f"A service of {peer} asks {cloud}'s {service} service ({asked.method} {asked.path}) on behalf of a user of {cloud}, since the "
        f"scope leaves {service} in {cloud}. {cloud}'s agreement with {peer} has no home rule that allows this. "
        + _remedy(cloud, peer, statement, scope, service)
    )


def warning(cloud: str, agreement: Agreement, statement: Statement | None, scope: Scope) -> str | None:
    """What a user of compute in another cloud will miss; None if nothing.

    Args:
        cloud: this cloud.
        agreement: our side, with the cloud that serves compute.
        statement: what that cloud offers us.
        scope: of the user.
    """
    service, peer = _PORTS.service, agreement.peer
    stays = scope.get(service) is None or scope.only(service) == cloud
    if not stays or allowed(agreement.grant.home, service, _PORTS.method, _PORTS.path):
        return None
    return (
        f"warning: the scope leaves {service} in {cloud}. When {peer}'s compute service shows servers, it asks {cloud}'s {service} service "
        f"({_PORTS.method} {_PORTS.path}), which no home rule of {cloud}'s agreement with {peer} allows: the request is refused ({RuleError.code}) "
        f"once there is a server. " + _remedy(cloud, peer, statement, scope, service)
    )


def _remedy(cloud: str, peer: str, statement: Statement | None, scope: Scope, service: str) -> str:
    if statement is not None and service in statement.services:
        named = {kind: part for kind, part in scope.entries if kind not in {"*", "identity"} or part != Name(cloud)}
        wider = scopes.format(Scope.of(named | {service: Name(peer)}))
        return f"Take {service} from {peer} as well: --os-scope '{wider}'."
    return f"{peer} offers no {service} to users of {cloud} either: ask the operators of both clouds."
