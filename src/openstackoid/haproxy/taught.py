"""Rules for scopes that the gateway has taught: to this cloud, or to a peer of the same owner, which gets the user's token. Pure.

Another owner's clouds are in `other_owners`.
"""

from collections.abc import Iterator

from openstackoid.haproxy import maps
from openstackoid.haproxy.plan import HERE, PEERS, WAYS, Front, Plan
from openstackoid.haproxy.routes import begins_with, condition, is_single, longest_first


def look_up(plan: Plan, front: Front) -> Iterator[str]:
    """Rules that look the exact text of the scope up in here.map and ways.map."""
    if plan.log or not is_single(front):
        for service in reversed(longest_first(front)):
            where = f" if{condition(service)}" if service.prefix else ""
            yield f"  http-request set-var(txn.service) str({service.kind}){where}"
    key = f"method,{_service_and_scope(front)}"
    yield "  # Does the scope lead here?"
    yield f"  acl set_here {key},map_str({plan.file(HERE)}),set-var(txn.here) -m found"
    yield "  acl leads_here var(txn.here) -m found"
    yield "  # A worker that is being replaced is told no news: what it has learned counts no more. set_once is evaluated here for its effect."
    yield (
        "  http-request unset-var(txn.here) if !{ stopping } set_here !scope_on_token !bare_token || "
        "leads_here set_once !set_away"
    )
    yield "  # Does it lead to a peer of the same owner? Such lines begin with T; others are of another version, and the gateway's."
    yield (
        f"  acl set_place {key},map_str({plan.file(WAYS)}),set-var(txn.way),bytes(1),field(1,!),"
        f"map_str({plan.file(PEERS)}),set-var(txn.place) -m found"
    )
    yield "  acl has_place var(txn.place) -m found"
    yield f"  acl token_passes {begins_with('way', 'T')}"
    yield (
        "  http-request allow if !leads_here !{ stopping } set_place token_passes !scope_on_token bare_token set_peer set_away || "
        "has_place token_passes scope_on_token set_peer set_away"
    )


def serve_here(plan: Plan) -> Iterator[str]:
    """Rules for requests that this cloud serves: the scope is appended to the token if it leads to other clouds; Keystone gets plain tokens."""
    yield from audited(plan, " if leads_here")
    if plan.log:
        yield "  http-request set-var(txn.way) var(txn.here) if leads_here"
    yield "  http-request del-header X-Scope if leads_here !scope_on_token"
    yield "  # P| in here.map: nothing goes on the token, for the scope leads nowhere else."
    yield f"  acl token_stays_bare var(txn.here) -m len {len(maps.PLAIN)}"
    yield "  # S in here.map: on a token as services pass it on, the scope is explicit already."
    yield f"  acl scope_stays {begins_with('here', 'S')}"
    yield "  http-request allow if token_stays_bare !scope_on_token || scope_on_token scope_stays"
    yield "  # A pattern that takes all at once: the token is bare."
    yield (
        "  http-request replace-header X-Auth-Token (?s)^(.*)$ \\1%[var(txn.here),bytes(2)] "
        "if leads_here !scope_on_token"
    )
    yield "  http-request allow if leads_here !scope_on_token"
    yield "  http-request replace-header X-Auth-Token ^([^!]*) \\1%[var(txn.here),bytes(2)] if leads_here"


def audited(plan: Plan, where: str = "") -> Iterator[str]:
    """Rules that have HAProxy write an audit line for requests that bypass the gateway; the gateway writes one for the others.

    Args:
        plan: of the cloud.
        where: a condition, such as ` if leads_here`.
    """
    if plan.log:
        yield f"  http-request set-log-level info{where}"
        yield f"  http-request set-var(txn.path) path{where}"


def _service_and_scope(front: Front) -> str:
    """The part of a key after the method."""
    if is_single(front):
        return f"concat(|{front.services[0].kind}|,txn.scope)"
    return "concat(|,txn.service,|),concat(,txn.scope)"
