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
from openstackoid.gateway.entry.frontends import is_version_document
from openstackoid.gateway.entry.headers import split_token
from openstackoid.gateway.entry.scoping import Scoping
from openstackoid.gateway.federation import home_requests
from openstackoid.gateway.federation.agreements import Agreements
from openstackoid.gateway.federation.peers import Peers


class Explaining:
    """Answers with a decision and its reasons.

    Args:
        cloud_map: the clouds that are known now.
        known: the same clouds, with the facts that a scope's operators depend on.
        scoping: the saved scopes, and the regions, by name.
        peers: which of them have another owner.
        agreements: with those; None if there are none.
    """

    def __init__(
        self,
        cloud_map: Callable[[], CloudMap],
        known: Callable[[], Known],
        scoping: Scoping,
        peers: Peers,
        agreements: Agreements | None,
    ) -> None:
        self._cloud_map = cloud_map
        self._known = known
        self._scoping = scoping
        self._peers = peers
        self._agreements = agreements

    def endpoints(self) -> list[Endpoint]:
        """The path of these answers."""
        return [Endpoint(EXPLAIN_PATH, READS, Audience.USERS, self._explain)]

    async def _explain(self, question: Question) -> dict[str, Any]:
        request, saved = question.request, question.saved_scope
        query, cloud_map = request.query, self._cloud_map()
        kind = service_type(query.get("service", ""))
        if kind is None:
            raise errors.BadRequestError("Expected ?service= with a service type such as image.")
        scope = in_path = self._scoping.saved(saved) if saved else Scope()
        header = request.headers.get(SCOPE)
        _, on_token = split_token(request.headers.get(AUTH))
        if header is not None:
            scope = scopes.parse(header)
        elif on_token is not None:
            scope = on_token
        facts = Facts(kind, query.get("method", "GET").upper(), query.get("path", "/"))
        # In a region of another cloud, its contract counts, and not the agreement.
        in_region = bool(saved) and scope is in_path and self._scoping.is_region(saved or "")
        if scope.has_operators:
            return plans.explain(
                facts, scope, self._known(), lambda target: self._judged(facts, target.scope, cloud_map)
            )
        return self._judged(facts, scope, cloud_map, in_region=in_region)

    def _judged(self, facts: Facts, scope: Scope, cloud_map: CloudMap, *, in_region: bool = False) -> dict[str, Any]:
        """What happens to a request for one cloud, by the scope, and by the agreement unless it is in a region."""
        explained = explain(facts, scope, cloud_map)
        if explained["decision"] == "remote":
            try:
                if not self._peers.federated(explained["cloud"]):
                    if self._agreements is not None:
                        self._agreements.check_pass_through(explained["cloud"])
                elif not in_region:
                    explained["why"] += self._agreed(facts, scope, cloud_map.here.name, explained["cloud"])
            except errors.TrustError as error:
                explained |= {"decision": "reject", "url": None, "error": error.body()["error"]}
                explained["why"].append(str(error))
        return explained

    def _agreed(self, facts: Facts, scope: Scope, here: str, cloud: str) -> list[str]:
        """What the agreement with another owner's cloud says of a request.

        Raises:
            TrustError: it does not allow the request, whoever sends it.
        """
        if self._agreements is None:
            raise errors.AgreementError(f"There is no agreement with {cloud}.")
        statement = self._agreements.peer_statement(cloud)
        if facts.service == "identity" and not is_version_document(facts.path):
            raise errors.HomeError(f"{cloud}'s identity service is asked in {cloud} itself: no token crosses to it.")
        if facts.service not in statement.services:
            offered = ", ".join(statement.services) or "nothing"
            raise errors.RuleError(f"{cloud} offers {facts.service} to nobody of this cloud. It offers: {offered}.")
        roles = ", ".join(statement.roles) or "none"
        said = [
            f"{cloud} offers {facts.service} by agreement, to users with one of the roles {roles}; its rules may allow less"
        ]
        if facts.service == "compute":
            missed = home_requests.warning(here, self._agreements.active_agreement(cloud), statement, scope)
            said += [missed] if missed else []
        return said
