"""Use of contracts and statements of it, for the operators of either side, and for the consumer's control plane."""

import asyncio
from typing import Any

from openstackoid.core.errors import BadRequestError
from openstackoid.regions import auditing
from openstackoid.regions.errors import PartyError
from openstackoid.regions.handlers.call import Call
from openstackoid.regions.objects import usage
from openstackoid.regions.objects.statement import ANSWER, Statement
from openstackoid.regions.objects.states import Side
from openstackoid.regions.objects.usage import Line, Period
from openstackoid.regions.tables.contract import Summary
from openstackoid.regions.tables.usage import Signed
from openstackoid.trust import tokens


async def show(call: Call) -> dict[str, Any]:
    """What a contract's projects have used: `?from=2026-12-01&until=2027-01-01`."""
    contract, period = await _contract(call), _period(call.query)
    lines = await call.control.statements.lines(contract, period)
    names = await _names(call, contract)
    return {"lines": _priced(lines, contract, names), "totals": usage.totals(lines, contract.terms.price)}


async def statements(call: Call) -> dict[str, Any]:
    """All statements of a contract."""
    contract = await _contract(call)
    made, answers = await _signed(call, contract)
    return {"statements": [_summary(made[number], answers.get(number)) for number in sorted(made)]}


async def sign(call: Call) -> dict[str, Any]:
    """Make and sign a statement; the same period again is the same one."""
    contract = await _contract(call)
    made = await call.control.statements.make(contract, _period(call.body), call.operator.name)
    call.control.kicked.set()
    return await _shown(call, contract, made.number)


async def statement(call: Call) -> dict[str, Any]:
    """One statement with its lines, and both signatures."""
    return await _shown(call, await _contract(call), _number(call))


async def respond(call: Call) -> dict[str, Any]:
    """Sign an answer to a statement."""
    contract, number = await _contract(call), _number(call)
    accepted, reason = call.body["accepted"], call.body.get("reason", "")
    await call.control.statements.respond(contract, number, call.operator.name, accepted=accepted, reason=reason)
    call.control.kicked.set()
    return await _shown(call, contract, number)


async def differences(call: Call) -> dict[str, Any]:
    """Where a statement differs from what this side finds now."""
    contract, number = await _contract(call), _number(call)
    projects = seen = None
    if contract.side is Side.CONSUMER:
        projects = await _names(call, contract)
        if call.control.audit:
            in_audit = await asyncio.to_thread(auditing.projects, call.control.audit, contract.id)
            seen = frozenset(_stated(project, contract, call) for project in in_audit)
    found = await call.control.statements.differences(contract, number, projects, seen)
    return {"differences": found}


async def to_peer(call: Call) -> dict[str, Any]:
    """What its projects have used, for the consumer's control plane."""
    peer = await call.control.peers.caller(call.assertion)
    contract = await asyncio.to_thread(call.control.contracts.summary, call.body["contract"])
    if contract.peer != peer or contract.side is not Side.PROVIDER:
        raise PartyError(f"The contract {contract.id} is with another cloud than {peer}.")
    lines = await call.control.statements.lines(contract, _period(call.body))
    return {"lines": [line.to_json() for line in lines]}


async def _contract(call: Call) -> Summary:
    return await asyncio.to_thread(call.control.contracts.summary, call.path["contract"])


def _period(given: Any) -> Period:
    if not isinstance(given.get("from"), str) or not isinstance(given.get("until"), str):
        raise BadRequestError("Expected from and until, days such as 2026-12-01; until is the day after the last one.")
    return Period.parse(given["from"], given["until"])


def _number(call: Call) -> int:
    text = call.path["number"]
    if not text.isascii() or not text.isdigit() or len(text) > 9:  # noqa: PLR2004 - digits
        raise BadRequestError("Expected the number of a statement.")
    return int(text)


async def _signed(call: Call, contract: Summary) -> tuple[dict[int, Signed], dict[int, Signed]]:
    usages = call.control.statements.usages
    made = await asyncio.to_thread(usages.all, contract.id)
    return made, await asyncio.to_thread(usages.all, contract.id, ANSWER)


async def _shown(call: Call, contract: Summary, number: int) -> dict[str, Any]:
    signed = await asyncio.to_thread(call.control.statements.usages.get, contract.id, number)
    _, answers = await _signed(call, contract)
    found = answers.get(number)
    lines = _priced(Statement(signed.document).lines, contract, await _names(call, contract))
    shown = {"lines": lines, "signed": signed.signed, "signed_answer": found.signed if found else ""}
    return _summary(signed, found) | shown


def _summary(signed: Signed, found: Signed | None) -> dict[str, Any]:
    document = signed.document
    answer, reason = "", ""
    if found is not None:
        answer, reason = "accepted" if found.document["accepted"] else "refused", found.document["reason"]
    return {
        **{name: document[name] for name in ("number", "from", "until", "time", "totals")},
        "digest": Statement(document).digest,
        "answer": answer,
        "reason": reason,
        "unacknowledged": not signed.sent or (found is not None and not found.sent),
    }


def _priced(lines: list[Line], contract: Summary, names: dict[str, str] | None) -> list[dict[str, Any]]:
    priced = []
    for line in lines:
        cost = {currency: usage.plain(amount) for currency, amount in usage.cost(line, contract.terms.price).items()}
        name = (names or {}).get(line.project, "")
        priced.append({**line.to_json(), "name": name, "cost": cost})
    return priced


async def _names(call: Call, contract: Summary) -> dict[str, str] | None:
    """What statements call this cloud's projects -> their names; None at the provider, and without an aggregator's account."""
    if contract.side is not Side.CONSUMER or call.control.catalog is None:
        return None
    projects = await call.control.catalog.entities("projects")
    return {_stated(str(project["id"]), contract, call): str(project["name"]) for project in projects}


def _stated(project: str, contract: Summary, call: Call) -> str:
    if not contract.terms.anonymous:
        return project
    return tokens.project_pseudonym(project, f"contract:{contract.id}", call.control.keys)
