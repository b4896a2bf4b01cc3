r"""The scope language: which cloud serves which service.

    scope      := '{' [ pair (',' pair)* ] '}'            a JSON object of strings
    pair       := TYPE ':' expression                     TYPE: a service type, or "*" for those that are not named
    expression := both ('|' both)*                        the first that answers
    both       := atom ('&' atom)*                        all of them
    atom       := NAME | '*' | '@' LABEL | 'around(' NAME ',' NUMBER 'ms' ')' | '(' expression ')'
    NAME, LABEL := [A-Za-z0-9][A-Za-z0-9._-]{0,63}
    NUMBER     := [0-9]{1,6} [ '.' [0-9]{1,3} ]

Spaces may stand between the parts. Good:

    {"image": "CloudTwo"}                          image from CloudTwo, the rest from the entry cloud
    {"compute": "CloudOne & CloudTwo"}             both
    {"image": "CloudTwo | CloudThree"}             the first that answers
    {"*": "@edge", "identity": "CloudOne"}         every cloud labelled edge; users from CloudOne
    {"image": "around(CloudOne, 50ms)"}            every cloud within 50 ms of CloudOne
    {"volumev3": "CloudTwo"}                       an alias: the same as block-storage

Bad, each a `ScopeError` that shows the place:

    {"image": CloudTwo}      not JSON           {"image": "Cloud Two"}   two names and no operator
    {"image": ["CloudTwo"]}  not a string       {"image": "a", "glance": "b"}   one service twice
    {"image": "A &"}         half an operation  {"im age": "A"}          no service type

The short form of a command line, `image=CloudTwo,compute=CloudOne`, means the same and is read by `parse_short`;
it has no spaces or commas inside an expression but those inside brackets.

`parse(format(scope)) == scope` for every scope. Reading is linear in the text: hostile texts cost no more than honest ones.
"""

from openstackoid.core.scope.expressions import DEEPEST, MOST_PARTS
from openstackoid.core.scope.text import LONGEST, MOST_SERVICES, format, parse, parse_short  # noqa: A004 - the package is the namespace: scope.parse, scope.format
from openstackoid.core.scope.values import (
    REST,
    AllClouds,
    AllOf,
    Around,
    Expression,
    FirstOf,
    Label,
    Name,
    Scope,
    is_name,
)

__all__ = [
    "DEEPEST",
    "LONGEST",
    "MOST_PARTS",
    "MOST_SERVICES",
    "REST",
    "AllClouds",
    "AllOf",
    "Around",
    "Expression",
    "FirstOf",
    "Label",
    "Name",
    "Scope",
    "format",
    "is_name",
    "parse",
    "parse_short",
]
