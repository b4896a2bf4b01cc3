"""Every path: for operators, whom a policy names, and for other clouds' control planes."""

from dataclasses import dataclass
from typing import Final

from openstackoid.core.protocol import MESSAGES_PATH, OFFERS_PATH, PROJECTS_PATH, RESOURCES_PATH, USAGE_PATH
from openstackoid.regions.handlers import (
    binding,
    contract,
    lease,
    message,
    offer,
    project_states,
    resource,
    root,
    usage,
    virtual_region,
    whois,
)
from openstackoid.regions.handlers.call import Handler
from openstackoid.regions.schemas import binding as binding_schema
from openstackoid.regions.schemas import contract as contract_schema
from openstackoid.regions.schemas import lease as lease_schema
from openstackoid.regions.schemas import message as message_schema
from openstackoid.regions.schemas import offer as offer_schema
from openstackoid.regions.schemas import project_states as states_schema
from openstackoid.regions.schemas import resource as resource_schema
from openstackoid.regions.schemas import usage as usage_schema
from openstackoid.regions.schemas import virtual_region as region_schema
from openstackoid.regions.schemas import whois as whois_schema
from openstackoid.regions.schemas.common import Schema


@dataclass(frozen=True, slots=True)
class Route:
    """What a method of a path does.

    Attributes:
        method: HTTP's.
        path: with variables, `/v1/contracts/{contract}`.
        handler: what answers.
        summary: for the API's document.
        policy: the rule that must allow it; None: for everybody.
        body: schema of the request's; None: no body.
        answer: schema of the answer's.
        query: names of parameters -> description.
        status: of the answer.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    policy: str | None = None
    body: Schema | None = None
    answer: Schema | None = None
    query: tuple[tuple[str, str], ...] = ()
    status: int = 200


_REGIONS: Final = "/v1/virtual-regions"
_REGION: Final = f"{_REGIONS}/{{virtual_region}}"
_CONTRACTS: Final = "/v1/contracts"
_CONTRACT: Final = f"{_CONTRACTS}/{{contract}}"
_STATEMENTS: Final = f"{_CONTRACT}/statements"
_STATEMENT: Final = f"{_STATEMENTS}/{{number}}"
_PERIOD: Final = (("from", "the first day, such as 2026-12-01"), ("until", "the day after the last one"))
_BINDINGS: Final = "/v1/bindings"
_BINDING: Final = f"{_BINDINGS}/{{region}}"
_SHOWN, _AGREED = region_schema.SHOWN, contract_schema.SHOWN
_STATE: Final = (("state", "a contract's state"),)
_OFFERS: Final = (
    ("provider", "name of a peer"),
    ("require", "a requirement: flavors.vcpus>=8 and location.country=FR"),
    ("sort", "a path of metadata; price if not given"),
)

OPERATORS: Final = (
    Route("GET", "/", root.versions, "Versions of the API"),
    Route("GET", "/v1", root.version, "Version 1 of the API"),
    Route(
        "GET",
        _REGIONS,
        virtual_region.list_all,
        "List virtual regions",
        "virtual_region:list",
        answer=region_schema.LIST,
        query=(("retired", "true: retired ones, too"),),
    ),
    Route(
        "POST",
        _REGIONS,
        virtual_region.create,
        "Create a virtual region",
        "virtual_region:create",
        region_schema.CREATE,
        _SHOWN,
        status=201,
    ),
    Route("GET", _REGION, virtual_region.show, "Show a virtual region", "virtual_region:show", answer=_SHOWN),
    Route(
        "PATCH",
        _REGION,
        virtual_region.update,
        "Change a virtual region",
        "virtual_region:update",
        region_schema.UPDATE,
        _SHOWN,
    ),
    Route("DELETE", _REGION, virtual_region.delete, "Retire a virtual region", "virtual_region:delete", answer=_SHOWN),
    Route(
        "POST",
        f"{_REGION}/offer",
        virtual_region.offer,
        "Offer a virtual region",
        "virtual_region:offer",
        region_schema.OFFER,
        _SHOWN,
    ),
    Route(
        "POST",
        f"{_REGION}/withdraw",
        virtual_region.withdraw,
        "Withdraw an offer",
        "virtual_region:withdraw",
        answer=_SHOWN,
    ),
    Route(
        "GET",
        f"{_REGION}/history",
        virtual_region.history,
        "Who changed a virtual region when",
        "virtual_region:show",
        answer=region_schema.HISTORY,
    ),
    Route(
        "GET",
        "/v1/offers",
        offer.list_all,
        "List a provider's offers",
        "offer:list",
        answer=offer_schema.OFFERS,
        query=_OFFERS,
    ),
    Route(
        "GET",
        "/v1/offers/compare",
        offer.compare_some,
        "Where offers differ",
        "offer:list",
        answer=offer_schema.COMPARED,
        query=(("offers", "PROVIDER/NAME,PROVIDER/NAME,..."),),
    ),
    Route(
        "POST",
        f"{_REGION}/metadata",
        virtual_region.set_metadata,
        "Declare or probe metadata",
        "virtual_region:update",
        region_schema.METADATA_CHANGE,
        _SHOWN,
    ),
    Route(
        "GET",
        _CONTRACTS,
        contract.list_all,
        "List contracts",
        "contract:list",
        answer=contract_schema.LIST,
        query=_STATE,
    ),
    Route(
        "POST",
        _CONTRACTS,
        contract.request,
        "Request a contract",
        "contract:request",
        contract_schema.REQUEST,
        _AGREED,
        status=201,
    ),
    Route("GET", _CONTRACT, contract.show, "Show a contract", "contract:show", answer=_AGREED),
    Route(
        "POST",
        f"{_CONTRACT}/events",
        contract.event,
        "Cause an event of a contract",
        "contract:event",
        contract_schema.ACTION,
        _AGREED,
    ),
    Route(
        "GET",
        f"{_CONTRACT}/resources",
        resource.list_all,
        "What the projects of a contract have",
        "contract:resources",
        answer=resource_schema.LIST,
    ),
    Route(
        "GET",
        f"{_CONTRACT}/leases",
        lease.list_all,
        "What of a contract's quota is leased to which project",
        "contract:usage",
        answer=lease_schema.LIST,
    ),
    Route(
        "POST",
        f"{_CONTRACT}/whois",
        whois.find,
        "Who a pseudonym is",
        "contract:whois",
        whois_schema.ASK,
        whois_schema.FOUND,
    ),
    Route(
        "GET",
        f"{_CONTRACT}/usage",
        usage.show,
        "What a contract's projects have used",
        "contract:usage",
        answer=usage_schema.USAGE,
        query=_PERIOD,
    ),
    Route("GET", _STATEMENTS, usage.statements, "List statements of use", "contract:usage", answer=usage_schema.LIST),
    Route(
        "POST",
        _STATEMENTS,
        usage.sign,
        "Sign a statement of use",
        "contract:statement",
        usage_schema.SIGN,
        usage_schema.SHOWN,
        status=201,
    ),
    Route("GET", _STATEMENT, usage.statement, "Show a statement", "contract:usage", answer=usage_schema.SHOWN),
    Route(
        "POST",
        f"{_STATEMENT}/answer",
        usage.respond,
        "Sign an answer to a statement",
        "contract:statement",
        usage_schema.RESPOND,
        usage_schema.SHOWN,
    ),
    Route(
        "GET",
        f"{_STATEMENT}/differences",
        usage.differences,
        "Where a statement differs from what is found now",
        "contract:usage",
        answer=usage_schema.COMPARED,
    ),
    Route("GET", _BINDINGS, binding.list_all, "List bound regions", "binding:list", answer=binding_schema.LIST),
    Route(
        "POST",
        _BINDINGS,
        binding.bind,
        "Bind a region of the catalog to a contract",
        "binding:create",
        binding_schema.BIND,
        binding_schema.SHOWN,
        status=201,
    ),
    Route("GET", _BINDING, binding.show, "Show a bound region", "binding:show", answer=binding_schema.SHOWN),
    Route("DELETE", _BINDING, binding.unbind, "Unbind a region", "binding:delete", answer=binding_schema.SHOWN),
)
PEERS: Final = (
    Route("GET", OFFERS_PATH, offer.to_peer, "What is offered to the peer that asks", answer=offer_schema.OFFERS),
    Route(
        "POST",
        MESSAGES_PATH,
        message.receive,
        "Take a signed message",
        None,
        message_schema.SENT,
        message_schema.ANSWER,
    ),
    Route(
        "POST",
        PROJECTS_PATH,
        project_states.take,
        "Take a signed statement about projects",
        None,
        states_schema.SENT,
        states_schema.ANSWER,
    ),
    Route(
        "POST",
        USAGE_PATH,
        usage.to_peer,
        "What the projects of the peer that asks have used",
        None,
        usage_schema.ASK,
        usage_schema.LINES,
    ),
    Route(
        "POST",
        RESOURCES_PATH,
        resource.to_peer,
        "What the projects of a contract have",
        None,
        resource_schema.ASK,
        resource_schema.LIST,
    ),
)
