"""The API's document, OpenAPI 3.1: made of the table of routes and the schemas, so it cannot say anything else."""

import re
from typing import TYPE_CHECKING, Any, Final

from openstackoid.regions.schemas.common import Schema, closed

if TYPE_CHECKING:
    from openstackoid.regions.handlers.routes import Route

_ERROR: Final[Schema] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": closed(
            {
                "code": {"type": "integer"},
                "title": {"type": "string"},
                "message": {"type": "string"},
                "openstackoid_code": {"type": "string"},
            },
            "*",
        )
    },
}
_REFUSED: Final = {
    "description": "A refusal, with a permanent code.",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
}


def document(routes: "tuple[Route, ...]") -> dict[str, Any]:
    """The document of some routes."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Virtual regions",
            "version": "1.0",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": {"Error": _ERROR},
            "securitySchemes": {"token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"}},
        },
    }


def _operation(route: "Route") -> dict[str, Any]:
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in re.findall(r"\{(\w+)\}", route.path)
    ]
    parameters += [
        {"name": name, "in": "query", "description": text, "schema": {"type": "string"}} for name, text in route.query
    ]
    answer: dict[str, Any] = {"description": route.summary}
    if route.answer is not None:
        answer["content"] = {"application/json": {"schema": route.answer}}
    operation: dict[str, Any] = {
        "operationId": f"{route.method.lower()} {route.path}",
        "summary": route.summary,
        "parameters": parameters,
        "responses": {str(route.status): answer, "default": _REFUSED},
    }
    if route.policy is not None:
        operation["security"] = [{"token": []}]
        operation["x-openstackoid-policy"] = route.policy
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": route.body}}}
    return operation
