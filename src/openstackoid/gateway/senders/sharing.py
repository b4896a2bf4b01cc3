"""Foreign users share with other projects of their own cloud: those get projects of this cloud too, as the users' own does."""

import json
from typing import Final

from openstackoid.core import id_forms
from openstackoid.core.errors import BodyError, ShareError
from openstackoid.core.limits import shown
from openstackoid.core.shares import Share
from openstackoid.gateway.entry.calls import Call
from openstackoid.gateway.federation.projects import Projects
from openstackoid.gateway.upstream.bodies import read_body
from openstackoid.trust.agreements import Agreement

_LONGEST: Final = 1 << 16  # bytes of a request's body that shares: it names one project


async def named_in_body(call: Call, share: Share) -> tuple[bytes | None, frozenset[str]]:
    """The body of a request that shares, and the projects that the body names.

    Raises:
        BodyError: the body is longer than any that shares.
    """
    if not call.request.body_exists:
        return None, frozenset()
    body = await read_body(call.request, _LONGEST)
    if body is None:
        raise BodyError(f"Expected a body of {_LONGEST} bytes at most, to share with another project.")
    try:
        return body, share.in_body(json.loads(body))
    except (ValueError, RecursionError):
        return body, frozenset()  # the service reports the error


class Sharing:
    """Maps the projects that foreign users share with.

    Args:
        cloud: this cloud's name.
        projects: maps foreign projects.
    """

    def __init__(self, cloud: str, projects: Projects) -> None:
        self._cloud = cloud
        self._projects = projects

    async def others(self, call: Call, share: Share, agreement: Agreement) -> tuple[dict[str, str], bytes | None]:
        """The projects besides the user's own that an admitted request or its answer may name.

        Args:
            call: the request.
            share: what it names.
            agreement: with the user's home.

        Returns:
            Project of the home cloud -> project here; and the request's body.

        Raises:
            ShareError: the request shares with what cannot be a project of the user's home.
            ProjectError: no project could be had for one of those.
        """
        body, named = await named_in_body(call, share)
        if agreement.grant.projects.kind == "same":
            return {}, body
        others = await self._projects.all(agreement)
        for foreign in sorted(named - others.keys()):
            if not id_forms.is_project(foreign):
                raise ShareError(
                    f"In {self._cloud}, users of {agreement.peer} share with projects of {agreement.peer}, by their ids: expected "
                    f"{id_forms.PROJECTS}, got {shown(foreign)}."
                )
            others[foreign] = await self._projects.local(agreement, foreign)
        return others, body
