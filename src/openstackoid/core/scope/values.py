"""Scopes and their expressions as values."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, TypeAlias

REST: Final = "*"
NAME: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_NAME_ONLY: Final = re.compile(NAME + r"\Z")


@dataclass(frozen=True, slots=True)
class Name:
    """One cloud."""

    cloud: str

    def __str__(self) -> str:
        return self.cloud

    @property
    def names(self) -> tuple[str, ...]:
        """The clouds that stand in it by name."""
        return (self.cloud,)


@dataclass(frozen=True, slots=True)
class AllClouds:
    """`*`: every known cloud."""

    def __str__(self) -> str:
        return "*"

    @property
    def names(self) -> tuple[str, ...]:
        """The clouds that stand in it by name."""
        return ()


@dataclass(frozen=True, slots=True)
class Label:
    """`@edge`: every cloud that carries the label."""

    label: str

    def __str__(self) -> str:
        return f"@{self.label}"

    @property
    def names(self) -> tuple[str, ...]:
        """The clouds that stand in it by name."""
        return ()


@dataclass(frozen=True, slots=True)
class Around:
    """`around(A, 50ms)`: every cloud within a round-trip time of one, in milliseconds."""

    cloud: str
    ms: Decimal

    def __str__(self) -> str:
        return f"around({self.cloud}, {self.ms:f}ms)"

    @property
    def names(self) -> tuple[str, ...]:
        """The clouds that stand in it by name."""
        return (self.cloud,)


@dataclass(frozen=True, slots=True)
class AllOf:
    """`a & b`: all of them. At least two operands, none of which is an `AllOf`."""

    operands: tuple["Expression", ...]

    def __str__(self) -> str:
        return " & ".join(f"({part})" if isinstance(part, FirstOf) else str(part) for part in self.operands)

    @property
    def names(self) -> tuple[str, ...]:
        """The clouds that stand in it by name."""
        return tuple(name for operand in self.operands for name in operand.names)


@dataclass(frozen=True, slots=True)
class FirstOf:
    """`a | b`: the first that answers. At least two operands, none of which is a `FirstOf`."""

    operands: tuple["Expression", ...]

    def __str__(self) -> str:
        return " | ".join(map(str, self.operands))

    @property
    def names(self) -> tuple[str, ...]:
        """The clouds that stand in it by name."""
        return tuple(name for operand in self.operands for name in operand.names)


Expression: TypeAlias = Name | AllClouds | Label | Around | AllOf | FirstOf


@dataclass(frozen=True, slots=True)
class Scope:
    """A scope as a value: equal scopes are equal however they were written.

    Attributes:
        entries: (official service type or "*", expression), sorted by type; "*" is first.
    """

    entries: tuple[tuple[str, Expression], ...] = ()

    @classmethod
    def of(cls, entries: Mapping[str, Expression]) -> "Scope":
        """A scope of official service types."""
        return cls(tuple(sorted(entries.items())))

    @classmethod
    def explicit_of(cls, entries: Mapping[str, Expression], entry: str) -> "Scope":
        """The explicit scope (`explicit`) of some entries."""
        filled = dict(entries)
        rest = filled.setdefault(REST, Name(entry))
        filled.setdefault("identity", rest)
        return cls.of(filled)

    @classmethod
    def of_region(cls, provider: str, cloud: str) -> "Scope":
        """That of a region of a cloud that is part of a provider's: everything there, but users at home."""
        return cls.of({REST: Name(provider), "identity": Name(cloud)})

    def __bool__(self) -> bool:
        return bool(self.entries)

    def get(self, service: str) -> Expression | None:
        """The expression for a service type: its own entry, else that of "*", else None."""
        rest: Expression | None = None
        for kind, expression in self.entries:
            if kind == service:
                return expression
            if kind == REST:
                rest = expression
        return rest

    def explicit(self, entry: str) -> "Scope":
        """The explicit scope: with entries for "*" and "identity".

        A service that is not named is bound to the entry cloud; another cloud could not know which cloud that is.

        Args:
            entry: the name of the cloud that received the request first.
        """
        return self if self.is_explicit else Scope.explicit_of(dict(self.entries), entry)

    @property
    def is_explicit(self) -> bool:
        """Whether it has entries for "*" and "identity"."""
        kinds = [kind for kind, _ in self.entries]
        return REST in kinds and "identity" in kinds

    def only(self, service: str) -> str | None:
        """The single cloud that the scope names for a service; None if it names none, or uses an operator."""
        expression = self.get(service)
        return expression.cloud if isinstance(expression, Name) else None

    def only_names(self, cloud: str) -> bool:
        """Whether the scope binds every service that it names to this cloud alone."""
        return all(isinstance(expression, Name) and expression.cloud == cloud for _, expression in self.entries)

    @property
    def has_operators(self) -> bool:
        """Whether any service has another expression than one cloud's name."""
        return any(not isinstance(expression, Name) for _, expression in self.entries)

    def clouds(self) -> frozenset[str]:
        """All clouds that the scope mentions by name."""
        return frozenset(name for _, expression in self.entries for name in expression.names)

    def leads_to(self, cloud: str, service: str | None = None) -> bool:
        """Whether the expression for a service mentions a cloud by name; the expression for any service if none is given."""
        if service is None:
            return cloud in self.clouds()
        expression = self.get(service)
        return expression is not None and cloud in expression.names


def is_name(text: str) -> bool:
    """Whether a text is a NAME of the grammar: a cloud, a label, a saved scope."""
    return _NAME_ONLY.match(text) is not None
