"""Which decisions may be taught to HAProxy, and into which of its maps they go."""

from collections.abc import Callable, Mapping

from openstackoid.core.routing import CloudMap, Local, Remote
from openstackoid.core.scope import Scope
from openstackoid.gateway.entry.calls import Call
from openstackoid.gateway.entry.scoping import explicit
from openstackoid.gateway.fastpath.teacher import Teacher
from openstackoid.gateway.federation.federation import Federation
from openstackoid.gateway.federation.peers import Peers
from openstackoid.gateway.senders.foreign_tokens import ForeignToken
from openstackoid.gateway.senders.sender import Sender
from openstackoid.gateway.upstream.legs import Leg

_NOTHING: Mapping[str, object] = {}


class Lessons:
    """Passes decisions to the teacher.

    Args:
        teacher: of HAProxy.
        cloud_map: the clouds that are known now.
        peers: the same clouds, with their owners.
        federation: agreements and projects; None in a cloud without federated peers.
    """

    def __init__(
        self, teacher: Teacher, cloud_map: Callable[[], CloudMap], peers: Peers, federation: Federation | None
    ) -> None:
        self._teacher = teacher
        self._cloud_map = cloud_map
        self._peers = peers
        self._federation = federation

    def begin(self, call: Call, who: Sender) -> Mapping[str, object]:
        """The generations that a lesson depends on, taken before the sender is admitted and a token issued: an argument of `learn`."""
        if who.begins_here:
            return self._teacher.begun_by(call) if call.route.service == "image" and call.auth else _NOTHING
        token = _image_token(call, who)
        return self._teacher.begun(token) if token else _NOTHING

    def learn(self, call: Call, who: Sender, decision: Local | Remote, leg: Leg, begun: Mapping[str, object]) -> None:
        """Teach a decision that holds for all requests like this one.

        Args:
            call: the admitted request.
            who: its sender.
            decision: where the request goes.
            leg: the request as it is sent to that cloud.
            begun: the result of `begin`.
        """
        named_in_path = call.route.saved_scope is not None and call.contract is None
        if who.begins_here and not (call.listener.peers or named_in_path or call.subject):
            cloud_map = self._cloud_map()
            whole, federated = explicit(call.scope, cloud_map.here.name), self._peers.federated(decision.cloud)
            if self._is_others_user(whole, cloud_map.here.name):
                return
            self._teacher.learned(
                call, decision, leg.rewrite.cacheable, whole, cloud_map, federated=federated, begun=begun
            )
            return
        token = _image_token(call, who)
        federation = self._federation
        if token and federation and leg.initiator and isinstance(decision, Local):
            project = leg.initiator.local_project or ""
            until = federation.project_states.trusted_until(project)
            self._teacher.visited(token, project, until, call.hops, federation.agreements, self._cloud_map(), begun)

    def _is_others_user(self, whole: Scope, here: str) -> bool:
        """Whether a scope names another owner's cloud for identity: what stands for its token is the gateway's to say (`senders.passed_token`).

        The key of an entry has no token in it, so one request without a token would send the tokens of all later ones straight to a service.
        """
        home = whole.only("identity")
        return home is not None and home != here and self._peers.federated(home)


def _image_token(call: Call, who: Sender) -> ForeignToken | None:
    return who.image_token if call.route.service == "image" else None
