"""Callers, and the cloud-regions that they may use.

A caller is one of

- local: connects without TLS, on a Unix socket or a loopback address, and acts as the clouds.yaml's user;
- the owner of a certificate in the configuration: acts as the clouds.yaml's user, under a policy;
- users with a Keystone token or an application credential for each cloud: act there as themselves.

`authentication` determines the type of a caller.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from oaktree.v1.location_pb2 import Location
from openstackoid.oaktree import errors
from openstackoid.oaktree.access.policy import EVERYTHING, Policy, narrowed
from openstackoid.oaktree.upstream import credentials
from openstackoid.oaktree.upstream.clouds import Clouds
from openstackoid.oaktree.upstream.credentials import Credential
from openstackoid.oaktree.upstream.regions import Region, scope_of
from openstackoid.oaktree.upstream.tokens import Login
from openstackoid.oaktree.verbs import ON_RECORD

# The metadata with the servers that a call has passed.
PATH: Final = "x-oaktree-path"
# Maximum length of a caller's name.
_LONGEST: Final = 200


@dataclass(frozen=True)
class RemotePart:
    """The part of a request that another oaktree serves."""

    site: str
    locations: tuple[Location, ...]  # by the other oaktree's names; empty for everywhere
    metadata: tuple[tuple[str, str], ...] = ()  # the call's path, and the caller's credentials for clouds there; secret
    named: bool = False  # the request names the oaktree, or one of its clouds
    as_caller: bool = False  # sent with the caller's own credentials; else with this server's

    def __repr__(self) -> str:
        return f"Beyond({self.site!r}, {len(self.locations)} locations)"


@dataclass(frozen=True)
class Way:
    """The path of a call to this server, and the oaktrees that it may be passed to."""

    site_names: tuple[str, ...] = ()  # names of other oaktrees
    path: str = ""  # the servers that the call has passed, with this one


class Caller(Protocol):
    """An authenticated caller."""

    @property
    def name(self) -> str:
        """The caller's name; their operations are recorded under it."""

    @property
    def expires(self) -> float | None:
        """The expiry of the caller's first token to expire, in seconds since the epoch: watches end then. None for never."""

    def regions(self, locations: Iterable[Location] = ()) -> list[Region]:
        """The cloud-regions of a request, with the caller's credentials; sorted. Empty if there are none.

        Raises:
            errors.ForbiddenError: a location matches cloud-regions, but the caller may use none of them.
        """

    def remote_parts(self, locations: Iterable[Location] = ()) -> list[RemotePart]:
        """The parts of a request at other oaktrees; oaktrees that the request does not concern are left out."""

    def check(self, verb: str, kind: str) -> None:
        """Raise errors.ForbiddenError unless the caller's policy allows the verb for the kind."""


class _Known:
    """The common base of all callers."""

    expires: float | None = None

    def __init__(self, name: str, clouds: Clouds, policy: Policy, way: Way) -> None:
        self.name: Final = name
        self._clouds: Final = clouds
        self._policy: Final = policy
        self._way: Final = way

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def check(self, verb: str, kind: str) -> None:
        if not self._policy.may(verb, kind):
            raise errors.ForbiddenError(f"the policy of {self.name} does not allow to {verb} {kind}")

    def regions(self, locations: Iterable[Location] = ()) -> list[Region]:
        by_place: dict[tuple[str, str, str], Region] = {}
        for location in list(locations) or [Location()]:
            refused, allowed = "", False
            for here in self._clouds.places(location):
                if why := self._why_not(location, here):
                    refused = refused or why
                    continue
                region = self._region(here, scope_of(location))
                by_place[(*region.key, region.identity)] = region
                allowed = True
            if (
                refused
                and not allowed
                and any((location.cloud, location.region, location.project_id, location.project))
            ):
                raise errors.ForbiddenError(refused)
        return [by_place[key] for key in sorted(by_place)]

    def remote_parts(self, locations: Iterable[Location] = ()) -> list[RemotePart]:
        wanted = list(locations)
        parts = []
        for site in self._way.site_names:
            allowed = self._policy.below(site)
            there = [location for location in (_at(site, location) for location in wanted) if location is not None]
            named = any(location.cloud.partition("/")[0] == site for location in wanted)
            if allowed is None and named:
                raise errors.ForbiddenError(f"the policy of {self.name} does not allow {site}")
            if allowed is None or (wanted and not there):
                continue
            metadata = self._metadata(site)
            if metadata is None:
                if named:
                    raise errors.ForbiddenError(f"no credential for a cloud of {site} came with the call")
                continue
            if not all(location == Location() for location in allowed) or there:
                narrow = narrowed(there or [Location()], allowed)
                if not narrow and not named:
                    continue
                if not narrow:
                    raise errors.ForbiddenError(f"the policy of {self.name} does not allow what it asks for at {site}")
                there = [] if Location() in narrow else narrow
            path = ((PATH, self._way.path),) if self._way.path else ()
            parts.append(RemotePart(site, tuple(there), (*path, *metadata), named, as_caller=bool(metadata)))
        return parts

    def _why_not(self, wanted: Location, here: Location) -> str:
        """The reason why the caller may not use a cloud-region; empty if they may."""
        if not self._policy.allows(here):
            return f"the policy of {self.name} does not allow {'/'.join(filter(None, (here.cloud, here.region)))}"
        if not self._policy.projects and scope_of(wanted):
            return f"the policy of {self.name} does not allow other projects than that of the server's clouds.yaml"
        return ""

    def _region(self, here: Location, scope: Mapping[str, str]) -> Region:
        return self._clouds.region(here, scope)

    def _metadata(self, _site: str) -> tuple[tuple[str, str], ...] | None:
        return ()


class Local(_Known):
    """The trusted user of a Unix socket or a loopback address: has all rights of the `clouds.yaml`."""

    def __init__(self, clouds: Clouds, way: Way | None = None) -> None:
        """Create the caller without restrictions: the `clouds.yaml` is the user's own file."""
        super().__init__("local", clouds, EVERYTHING, way or Way())


class Known(_Known):
    """A caller with a certificate in the configuration: acts as the `clouds.yaml`'s user, under a policy."""


class Users(_Known):
    """A caller with credentials: acts in each cloud as the user of the credential, and in no other cloud."""

    def __init__(
        self,
        clouds: Clouds,
        policy: Policy,
        way: Way,
        *,
        logins: Mapping[tuple[str, str], Login | Exception],
        passed: Sequence[Credential] = (),
    ) -> None:
        """Keep the validated credentials.

        Args:
            clouds: all clouds.
            policy: restricts the caller in addition to the rights in the clouds.
            way: the path of the call.
            logins: for each cloud and region the validated credential, or an error if its Keystone did not answer.
            passed: credentials for clouds behind other oaktrees, which validate them.
        """
        super().__init__(_name(logins, passed), clouds, policy, way)
        self._logins: Final = logins
        self._passed: Final = passed
        ends = (login.expires for login in logins.values() if isinstance(login, Login) and not login.renews)
        self.expires = min(ends, default=None)

    def _why_not(self, wanted: Location, here: Location) -> str:
        home = self._clouds.home(here)
        login = self._logins.get(home)
        if login is None:
            return f"no credential for {home[0]} came with the call: {credentials.TOKEN}, or {credentials.APPLICATION_CREDENTIAL}"
        if not self._policy.allows(here):
            return super()._why_not(Location(), here)
        if isinstance(login, Login) and not _is_in(login, wanted):
            return f"the credential for {home[0]} is for another project than the request: bring one that is for that project"
        return ""

    def check(self, verb: str, kind: str) -> None:
        """See `Caller`. For recorded verbs, also raises the error of a Keystone that has not validated a credential."""
        super().check(verb, kind)
        if verb in ON_RECORD:
            for (cloud, region), login in self._logins.items():
                if isinstance(login, Exception):
                    # The caller's name depends on all credentials: without one, a repeated create would not find its operation.
                    lost = login.with_traceback(None)
                    raise errors.LocatedError(lost, cloud=cloud, region=region, service="identity", as_server=False)

    def _region(self, here: Location, scope: Mapping[str, str]) -> Region:
        del scope  # the scope is that of the credential: see _why_not
        login = self._logins[self._clouds.home(here)]
        if isinstance(login, Login):
            return self._clouds.region(here, {}, login)

        def refuse() -> Any:
            raise login.with_traceback(None)

        # The identity is not shared with other callers: the credential was not validated.
        return Region(here, f"unconfirmed {self.name}", refuse, bearer="unconfirmed")

    def _metadata(self, site: str) -> tuple[tuple[str, str], ...] | None:
        prefix = f"{site}/"
        headers = tuple(
            credential.header(credential.cloud.removeprefix(prefix))
            for credential in self._passed
            if credential.cloud.startswith(prefix)
        )
        return headers or None  # without a credential, the other oaktree would take this server for the caller


def _at(site: str, wanted: Location) -> Location | None:
    """A location by the names of another oaktree; None if it is not at that oaktree."""
    first, _, rest = wanted.cloud.partition("/")
    if first not in ("", site):
        return None
    there = Location()
    there.CopyFrom(wanted)
    there.cloud = rest
    return there


def _is_in(login: Login, wanted: Location) -> bool:
    if wanted.project_id:
        return wanted.project_id == login.project_id
    return not wanted.project or (
        wanted.project == login.project
        and wanted.domain_id in ("", login.domain_id)
        and wanted.domain in ("", login.domain)
    )


def _name(logins: Mapping[tuple[str, str], Login | Exception], passed: Sequence[Credential]) -> str:
    """The caller's name: the same for the same users in the same projects."""
    parts = {
        f"{login.cloud}:{login.user_id}:{login.project_id}" for login in logins.values() if isinstance(login, Login)
    }
    # This server does not validate these: only callers with an identical credential count as the same caller.
    parts |= {f"{credential.cloud}:{credential.digest[:32]}" for credential in passed}
    name = ",".join(sorted(parts)) or "nobody"
    return name if len(name) <= _LONGEST else f"users:{hashlib.sha256(name.encode()).hexdigest()}"
