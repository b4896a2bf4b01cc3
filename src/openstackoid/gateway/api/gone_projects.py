"""Answers peers that ask which projects of this cloud are gone: `POST /openstackoid/v1/projects`.

{"projects": [ID, ...], "question": ID}  ->  {"gone": [ID, ...]}

`question` is the same for all requests of a question about more projects than fit into one, and may be missing.
"""

from typing import Any

from openstackoid.core import limits
from openstackoid.core.errors import BadRequestError
from openstackoid.core.protocol import ASSERTION, GONE_PROJECTS_PATH
from openstackoid.gateway.api.endpoints import WRITES, Audience, Endpoint, Question
from openstackoid.gateway.federation.assertions import Assertions
from openstackoid.gateway.federation.home_projects import HomeProjects
from openstackoid.gateway.upstream.documents import parsed, whole
from openstackoid.trust.grants import ID


class GoneProjects:
    """Answers peers.

    Args:
        assertions: authenticate them.
        projects: of this cloud.
    """

    def __init__(self, assertions: Assertions, projects: HomeProjects) -> None:
        self._assertions = assertions
        self._projects = projects

    def endpoints(self) -> list[Endpoint]:
        """The path of these answers."""
        return [Endpoint(GONE_PROJECTS_PATH, WRITES, Audience.ALL, self._answer)]

    async def _answer(self, question: Question) -> dict[str, Any]:
        """Those of the named projects that are gone.

        Raises:
            TokenError: the request is not from a peer.
            BadRequestError: another document is expected.
        """
        peer = self._assertions.authenticate_peer(question.request.headers.get(ASSERTION))
        try:
            document = parsed(await whole(question.request.content, limits.PROJECTS), limits.PROJECTS)
        except ValueError as error:
            raise BadRequestError(f"Expected a document with projects: {error}.") from None
        ids = document.get("projects") if isinstance(document, dict) else None
        if not isinstance(ids, list) or len(ids) > limits.PROJECTS_ASKED or not all(map(_is_id, ids)):
            raise BadRequestError(f"Expected a list of at most {limits.PROJECTS_ASKED} ids at projects.")
        page_of = document.get("question", "") if isinstance(document, dict) else ""
        if page_of and not _is_id(page_of):
            raise BadRequestError("Expected an id at question, or nothing.")
        return {"gone": await self._projects.gone(peer, ids, str(page_of))}


def _is_id(value: object) -> bool:
    return isinstance(value, str) and ID.match(value) is not None
