"""Why a request would go where it goes, without sending it."""

from collections.abc import Callable
from typing import Any

from openstackoid.core import errors, plans
from openstackoid.core import scope as scopes
from openstackoid.core.plans import Known
from openstackoid.core.protocol import AUTH, EXPLAIN_PATH, SCOPE
from openstackoid.core.routing import CloudMap, Facts, explain
from openstackoid.core.scope import Scope
from openstackoid.core.services import service_type
from openstackoid.gateway.api.endpoints import READS, Audience, Endpoint, Question
from openstackoid.gateway.entry.headers import split_token


class Explaining:
    """Answers with a decision and its reasons.

    Args:
        cloud_map: the clouds that are known now.
        known: the same clouds, with the facts that a scope's operators depend on.
        saved: gives the saved scope of a name.
    """

    def __init__(
        self, cloud_map: Callable[[], CloudMap], known: Callable[[], Known], saved: Callable[[str], Scope]
    ) -> None:
        self._cloud_map = cloud_map
        self._known = known
        self._saved = saved

    def endpoints(self) -> list[Endpoint]:
        """The path of these answers."""
        return [Endpoint(EXPLAIN_PATH, READS, Audience.USERS, self._explain)]

    async def _explain(self, question: Question) -> dict[str, Any]:
        request, saved = question.request, question.saved_scope
        query, cloud_map = request.query, self._cloud_map()
        kind = service_type(query.get("service", ""))
        if kind is None:
            raise errors.BadRequestError("Expected ?service= with a service type such as image.")
        scope = self._saved(saved) if saved else Scope()
        header = request.headers.get(SCOPE)
        _, on_token = split_token(request.headers.get(AUTH))
        if header is not None:
            scope = scopes.parse(header)
        elif on_token is not None:
            scope = on_token
        facts = Facts(kind, query.get("method", "GET").upper(), query.get("path", "/"))
        if scope.has_operators:
            return plans.explain(facts, scope, self._known())
        return explain(facts, scope, cloud_map)
