"""Says what a field is: sentences by hand for what people use, and what the names themselves say for the rest."""

from typing import Final

from tools.definitions.classes import Attribute
from tools.definitions.sentences import EVERYWHERE, TYPED
from tools.definitions.tables import SECRETS

_UPPER: Final = {
    "ip": "IP", "ips": "IPs", "ipv4": "IPv4", "ipv6": "IPv6", "id": "id", "ids": "ids", "dns": "DNS", "url": "URL", "uri": "URI", "vm": "VM",
    "cpu": "CPU", "hw": "hardware", "os": "operating system's", "ha": "high availability", "qos": "QoS", "mtu": "MTU", "vip": "virtual IP",
    "az": "availability zone", "uuid": "UUID", "api": "API", "dhcp": "DHCP", "mac": "MAC", "l7": "layer 7", "rbac": "RBAC", "numa": "NUMA",
}  # fmt: skip


def sentence(kind: str, attribute: Attribute, *, typed: bool) -> str:
    """What an attribute is, if somebody wrote it down; else nothing.

    Args:
        kind: "service.kind".
        attribute: which.
        typed: the kind has a message.
    """
    by_hand = TYPED.get(f"{kind}.{attribute.name}") or TYPED.get(attribute.name, "") if typed else ""
    return by_hand or EVERYWHERE.get(attribute.name, "")


def describe(kind: str, words: str, attribute: Attribute) -> str:
    """The comment of a field.

    Args:
        kind: "service.kind".
        words: what a resource of the kind is called.
        attribute: which.

    Returns:
        Whole sentences: what it is, its name in the API if that is another, what can be done with it.
    """
    facts = [sentence(kind, attribute, typed=True) or _said_by_name(words, attribute.name)]
    if attribute.name in SECRETS:
        facts.append("A secret: it is never logged.")
    if attribute.deprecated:
        facts.append("openstacksdk advises against it.")
    if attribute.place == "header":
        facts.append(f"In the API it is the header `{attribute.wire}`.")
    elif attribute.place == "uri" and attribute.parent:
        facts.append("It is part of the resource's path.")
    elif attribute.wire != attribute.name:
        facts.append(f"In the API: `{attribute.wire}`.")
    if attribute.filter:
        facts.append("The API can filter lists by it.")
    return " ".join(facts)


def _said_by_name(words: str, name: str) -> str:
    first, _, rest = name.partition("_")
    if first in {"is", "has", "needs"} and rest:
        return f"Whether the {words} {first} {_plain(rest)}."
    if name.endswith("_ids"):
        return f"The ids of the {words}'s {_plain(name.removesuffix('_ids'))}s."
    if name.endswith("_id"):
        return f"The id of the {words}'s {_plain(name.removesuffix('_id'))}."
    if name.endswith("_at"):
        return f"When the {words} was {_plain(name.removesuffix('_at'))}."
    return f"The {words}'s {_plain(name)}."


def _plain(name: str) -> str:
    return " ".join(_UPPER.get(word, word) for word in name.split("_"))
