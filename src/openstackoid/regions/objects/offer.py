"""Offers of several providers, sorted and compared. Pure.

An offer here is a pair: the provider's name and the offer's document (`schemas.offer`) with plain metadata.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from openstackoid.regions.objects.requirement import Requirement, met

# What operators sort by without writing a path.
_SHORT: Final[Mapping[str, str]] = {"price": "price.items.amount"}


@dataclass(frozen=True, slots=True)
class Offer:
    """A virtual region that a provider offers.

    Attributes:
        provider: the cloud's name.
        document: as the provider sent it.
        values: its metadata without sources and times.
    """

    provider: str
    document: Mapping[str, Any]
    values: Mapping[str, Any]

    @property
    def label(self) -> str:
        """`PROVIDER/NAME`."""
        return f"{self.provider}/{self.document['name']}"

    def meets(self, requirement: Requirement | None) -> bool:
        """Whether it certainly is as required."""
        return requirement is None or met(requirement, self.values)


def ordered(offers: Iterable[Offer], path: str) -> list[Offer]:
    """Offers by the least number or text at a path; those that do not state it come last, in the order of their names.

    Args:
        offers: of any providers.
        path: dotted path into metadata, or `price`. Prices come by currency first: those of different ones are never compared.
    """
    whole = _SHORT.get(path, path)

    def key(offer: Offer) -> tuple[Any, ...]:
        leaves = _leaves(offer.values, whole.split("."))
        numbers = [Decimal(str(value)) for value in leaves if _is_number(value)]
        texts = sorted(str(value) for value in leaves if not _is_number(value))
        currency = str(offer.values.get("price", {}).get("currency", "")) if whole.startswith("price.") else ""
        if numbers:
            return (0, currency, min(numbers), "", offer.label)
        return (1, currency, Decimal(0), texts[0], offer.label) if texts else (2, "", Decimal(0), "", offer.label)

    return sorted(offers, key=key)


def compare(offers: Sequence[Offer]) -> dict[str, list[Any]]:
    """Where offers differ: dotted path -> the value of each, None where it states none.

    Items of lists are compared by their names, as in `flavors.m1.small.vcpus`.
    """
    flat = [dict(_flatten("", offer.values)) | {"services": sorted(offer.document["services"])} for offer in offers]
    paths = sorted(set().union(*flat)) if flat else []
    rows = {path: [values.get(path) for values in flat] for path in paths}
    return {path: row for path, row in rows.items() if any(value != row[0] for value in row)}


def _leaves(value: Any, path: Sequence[str]) -> list[Any]:
    if isinstance(value, list):
        return [leaf for item in value for leaf in _leaves(item, path)]
    if not path:
        return [] if value is None or isinstance(value, Mapping) else [value]
    return _leaves(value.get(path[0]), path[1:]) if isinstance(value, Mapping) else []


def _is_number(value: Any) -> bool:
    if isinstance(value, str):
        return value.replace(".", "", 1).isascii() and value.replace(".", "", 1).isdigit()
    return isinstance(value, int | float) and not isinstance(value, bool)


def _flatten(prefix: str, value: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _flatten(f"{prefix}.{name}" if prefix else name, inner)
    elif isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
        for index, item in enumerate(value):
            name = str(item.get("name") or item.get("sku") or item.get("scheme") or index)
            rest = {key: inner for key, inner in item.items() if inner != name}
            yield from _flatten(f"{prefix}.{name}", rest) if rest else [(f"{prefix}.{name}", True)]
    else:
        yield prefix, value
