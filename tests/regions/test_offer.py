"""Offers of several providers: met, sorted, compared."""

from typing import Any

from openstackoid.regions.objects.offer import Offer, compare, ordered
from openstackoid.regions.objects.requirement import parse


def offer(provider: str, **values: Any) -> Offer:
    return Offer(provider, {"name": "north", "services": ["image"]}, values)


CHEAP = offer("B", price={"currency": "EUR", "items": [{"sku": "s", "amount": "0.9"}, {"sku": "m", "amount": "10"}]})
DEAR = offer("A", price={"currency": "EUR", "items": [{"sku": "s", "amount": "1.1"}]})
DOLLARS = offer("C", price={"currency": "USD", "items": [{"sku": "s", "amount": "0.1"}]})
SILENT = offer("D", location={"country": "FR"})


def test_they_are_sorted_by_the_least_price_of_a_currency_and_those_that_say_none_are_last() -> None:
    assert ordered([SILENT, DOLLARS, DEAR, CHEAP], "price") == [CHEAP, DEAR, DOLLARS, SILENT]


def test_they_are_sorted_by_any_path() -> None:
    assert ordered([CHEAP, SILENT], "location.country") == [SILENT, CHEAP]


def test_they_meet_requirements() -> None:
    assert [each.provider for each in (CHEAP, DEAR, SILENT) if each.meets(parse("price.items.amount<1"))] == ["B"]
    assert SILENT.meets(None)


def test_only_differences_are_shown() -> None:
    assert compare([CHEAP, DEAR]) == {"price.items.s.amount": ["0.9", "1.1"], "price.items.m.amount": ["10", None]}
    assert compare([CHEAP, CHEAP]) == {}
    assert compare([]) == {}
    assert compare([SILENT, DEAR])["location.country"] == ["FR", None]
