"""Terms, and the two sides of a contract, as tests use them."""

from dataclasses import replace
from typing import Any, Final

from openstackoid.regions.objects.contract import Contract
from openstackoid.regions.objects.states import ContractEvent, Side
from openstackoid.regions.objects.terms import Terms

ID: Final = "0f" * 16
REGION: Final = "ab" * 16
TIME: Final = "2027-01-01T00:00:00Z"
DOCUMENT: Final[dict[str, Any]] = {
    "virtual_region": REGION,
    "version": 1,
    "region_name": "V1",
    "services": ["image", "volumev3"],
    "rules": [{"service": "compute", "method": "get", "path": "/v2.1/**"}],
    "quota": {"cores": 20, "gigabytes": 1000},
    "price": [{"sku": "m1.small", "unit": "hour", "currency": "EUR", "amount": "0.012"}],
    "from": "2027-01-01T00:00:00Z",
    "until": "2028-01-01T00:00:00Z",
    "answer_by": "2026-12-15T00:00:00Z",
    "grace_days": 30,
    "clean_up": True,
    "anonymous": True,
}
TERMS: Final = Terms.from_json(DOCUMENT)


def terms(cores: int) -> Terms:
    """Terms that differ from others by their quota."""
    return replace(TERMS, quota={"cores": cores})


def pair() -> tuple[Contract, Contract]:
    """The two copies of a contract that nobody has asked for yet: the provider's, the consumer's."""
    provider = Contract(ID, Side.PROVIDER, "CloudP", "CloudA")
    return provider, Contract(ID, Side.CONSUMER, "CloudA", "CloudP")


def cause(by: Contract, other: Contract, event: ContractEvent, given: Terms | None = None) -> tuple[Contract, Contract]:
    """An event whose message arrives at once."""
    by = by.cause(event, TIME, given)
    return by, other.receive(by.ours[-1])
