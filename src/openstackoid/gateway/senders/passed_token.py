"""Users of another cloud of the same owner, who come with a token of their own cloud's Keystone, under a contract whose terms provide for that.

Their home says what such a token means under the contract: this cloud's gateway exchanges it for a federated token there (`federation.token_exchange`),
and the request goes on as that of any foreign user: rules, quota, resources, projects, and what is inside this cloud, are the same. So no service here
sees the user's own token, and nothing passes the contract by.

    at the peering address   the home's gateway names the contract, beside its assertion
    at a frontend            the scope names the home for identity; the contract is the only one of that kind with the home that is not suspended
"""

from collections.abc import Sequence

from openstackoid.core import protocol
from openstackoid.core import scope as scopes
from openstackoid.core.errors import ContractPassThroughError, ExchangeError, OpenStackoidError
from openstackoid.core.routing import Remote
from openstackoid.core.scope import Scope
from openstackoid.gateway.entry.calls import Arrival, Call
from openstackoid.gateway.federation.federation import Federation
from openstackoid.gateway.senders.foreign_tokens import ForeignToken
from openstackoid.gateway.senders.foreign_user import ForeignUser, ForeignUsers
from openstackoid.gateway.telemetry.audit import Initiator
from openstackoid.gateway.upstream.legs import Leg
from openstackoid.trust.contracts import ContractGrant, ContractSide, GrantState


class PassedTokens:
    """Accepts such users.

    Args:
        users: what they are when their token has been exchanged.
        federation: agreements and contracts, and the exchange of tokens.
    """

    def __init__(self, users: ForeignUsers, federation: Federation) -> None:
        self.users = users
        self.federation = federation
        self.cloud = users.legs.cloud

    def accept(self, arrival: Arrival) -> "PassedUser | None":
        """A request with a token of another cloud's Keystone.

        Raises:
            TokenError: nobody shows at the peering address whose gateway sends the request.
            AgreementError: the contract is not in force, or does not provide for such tokens.
            ScopeError: the scope cannot be read.
        """
        if arrival.auth is None or arrival.federated:
            return None
        agreements = self.federation.agreements
        if arrival.listener.peers:
            named = arrival.request.headers.get(protocol.CONTRACT)
            if named is None:
                return None
            peer = agreements.assertions.authenticate_peer(arrival.request.headers.get(protocol.ASSERTION))
            contract = agreements.passing(peer, named, ContractSide.PROVIDER)
            return PassedUser(self, contract, arrival.auth, self._scope(contract))
        home = _home(arrival) if agreements.any_passing and not arrival.hops else None
        found = agreements.passing_from(home) if home is not None else ()
        return PassedUser(self, self._only(found), arrival.auth, None) if found else None

    def _scope(self, contract: ContractGrant) -> Scope:
        """The scope of requests in a region: this cloud, or the provider of a region that this cloud resells, serves all of them."""
        if contract.region:
            return Scope.of_region(self.federation.resale.contract(contract.region).peer, self.cloud)
        return Scope.of_region(self.cloud, contract.peer)

    def _only(self, found: Sequence[ContractGrant]) -> ContractGrant:
        # Nobody can mean a suspended contract while there is another one. If all are suspended, the first one's refusal says so.
        found = [contract for contract in found if contract.state is not GrantState.SUSPENDED] or found[:1]
        if len(found) > 1:
            raise ContractPassThroughError(
                f"{found[0].peer} and {self.cloud} have {len(found)} contracts in force under which users come with their own tokens: which one is meant is "
                f"known only for requests that come through a region of {found[0].peer}. Use its catalog."
            )
        if found[0].region:
            raise ContractPassThroughError(
                f"The contract {found[0].id} is about a region that {self.cloud} has from another cloud. Use it through {found[0].peer}'s catalog."
            )
        return self.federation.agreements.passing(found[0].peer, found[0].id, ContractSide.PROVIDER)


class PassedUser:
    """One such user, who sends one request.

    Args:
        shared: the parts that all senders of this kind share.
        contract: in force.
        own: the user's own token.
        scope: of the region; None if the user chose one.
    """

    __slots__ = ("_contract", "_own", "_scope", "_shared", "_user")
    begins_here = False
    image_token: ForeignToken | None = None  # HAProxy is taught no way for tokens that this cloud has to ask about

    def __init__(self, shared: PassedTokens, contract: ContractGrant, own: str, scope: Scope | None) -> None:
        self._shared = shared
        self._contract = contract
        self._own = own
        self._scope = scope
        self._user: ForeignUser | None = None

    @property
    def scope(self) -> Scope | None:
        """That of the region."""
        return self._scope

    @property
    def initiator(self) -> Initiator:
        """The user; before the home was asked, only whose it is."""
        if self._user is not None:
            return self._user.initiator
        return Initiator(self._contract.peer, agreement=self._contract.id)

    async def admit(self, call: Call) -> None:
        """Exchange the token, and admit or refuse the request.

        Raises:
            PeerError: the user's home does not answer.
            TokenError, ExchangeError: it gives no token.
            RateError: it is asked about too many unknown tokens.
            TrustError: as `ForeignUser.admit`.
        """
        exchange, users, contract = self._shared.federation.exchange, self._shared.users, self._contract
        by_home = call.listener.peers
        text = await exchange.under_contract(contract, self._own, self._shared.cloud, by_home=by_home)
        token = users.tokens.read(text)
        if token.agreement.id != contract.id or token.claims.issuer != contract.peer:
            raise ExchangeError(f"{contract.peer} gave a token under another contract than {contract.id}.")
        self._user = users.sender(token, at_peers=by_home)
        await self._user.admit(call)

    async def local(self, call: Call) -> Leg:
        """A leg to our own backend. Raises as `ForeignUser.local`."""
        return await self._admitted.local(call)

    async def remote(self, call: Call, decision: Remote) -> Leg:
        """A leg to another cloud. Raises as `ForeignUser.remote`, or `ResoldUser.remote`."""
        return await self._admitted.remote(call, decision)

    @property
    def _admitted(self) -> ForeignUser:
        if self._user is None:
            raise OpenStackoidError("The request was not admitted.")
        return self._user


def _home(arrival: Arrival) -> str | None:
    """The cloud that a request's scope names for identity."""
    scope = scopes.parse(arrival.scope_header) if arrival.scope_header is not None else arrival.auth_scope
    return scope.only("identity") if scope else None
