"""Checks of this cloud's Keystone: it answers, the gateway's accounts can do their work, and the catalog leads to the gateway."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import requests
from keystoneauth1 import exceptions, session
from keystoneauth1.identity import v3

from openstackoid.core.catalog import PROJECT
from openstackoid.core.services import service_type
from openstackoid.gateway.settings.config import Config
from openstackoid.gateway.settings.fields import Catalog
from openstackoid.operators.doctor import quotas
from openstackoid.operators.doctor.finding import Finding, failed, ok, skipped, warning
from openstackoid.operators.doctor.web import clock, fetch
from openstackoid.trust.grants import Grant

_TIMEOUT: Final = 30.0  # seconds
_ANSWERS: Final = frozenset({200, 300})
_OK: Final = 200
# Keystone's create_project needs the first, or the second in that domain (since 2024.1).
_MAKERS: Final = frozenset({"admin", "manager"})


def answers(config: Config) -> Iterator[Finding]:
    """Whether Keystone answers, and whether its clock agrees."""
    url = _identity(config)
    if url is None:
        yield skipped("Keystone", "neither services.identity.backend nor catalog says where it is")
        return
    answer = fetch(f"{url}/", config.ca)
    if isinstance(answer, str):
        yield failed("Keystone", f"{url}: {answer}", "Start Keystone, or correct services.identity.backend and ca")
    elif answer.status not in _ANSWERS or not isinstance(answer.document, dict):
        remedy = "Correct services.identity.backend: the root of Keystone, without /v3"
        yield failed("Keystone", f"{url}: expected its versions, got status {answer.status}", remedy)
    else:
        yield ok("Keystone", f"answers at {url}")
        if fault := clock("Keystone's clock", answer.ahead, config.trust.skew if config.trust else 30.0):
            yield fault


def accounts(config: Config, grants: Iterable[Grant], counted: Collection[str] = ()) -> Iterator[Finding]:
    """Whether the gateway's accounts can log in, have the rights that they need, and where the catalog that they see leads.

    Args:
        config: of the gateway.
        grants: of the peers.
        counted: the services that count something for the quotas of contracts.
    """
    trust = config.trust
    sections = {
        "catalog": config.catalog,
        "trust.account": trust.account if trust else None,
        "trust.quota_account": trust.quota_account if trust else None,
    }
    counts = "trust.quota_account" if sections["trust.quota_account"] else "trust.account"
    catalog: Sequence[Mapping[str, Any]] | None = None
    domains = sorted({grant.projects.where or "" for grant in grants if grant.projects.kind == "each"})
    for key, section in sections.items():
        if section is None:
            continue
        made, auth = _session(config), _password(section)
        try:
            access = auth.get_access(made)
        except exceptions.ClientException as error:
            remedy = f"Correct {key}.username, .password_file and .project_name, or the user in Keystone"
            yield failed(key, f"Keystone refuses {section.username}: {error}", remedy)
            continue
        if key != "trust.quota_account":
            catalog = access.service_catalog.catalog
        roles = set(access.role_names or ())
        yield ok(key, f"{section.username} logs in with the roles {', '.join(sorted(roles)) or 'none'}")
        if key == "trust.account":
            yield from _rights(made, auth, section, roles, domains)
        if key == counts:
            yield from quotas.rights(config, made, auth, section.username, key, counted)
    if sections["trust.account"] is None and domains:
        remedy = "Set trust.account to a user with the role manager in these domains, or admin"
        yield failed("trust.account", f"missing; agreements need projects in {', '.join(domains)}", remedy)
    if counted and sections[counts] is None:
        remedy = "Set trust.quota_account to a user with the role admin"
        yield failed("trust.quota_account", f"missing; contracts have quotas of {', '.join(counted)}", remedy)
    if catalog is None:
        yield skipped("catalog", "needs an account: catalog or trust.account")
    else:
        yield from _leads_here(config, catalog)


def _rights(
    made: session.Session, auth: v3.Password, section: Catalog, roles: set[str], domains: Iterable[str]
) -> Iterator[Finding]:
    for domain in domains:
        check = f"projects in {domain}"
        options: dict[str, Any] = {"auth": auth, "endpoint_override": section.auth_url, "raise_exc": False}
        answer = made.get(f"/domains/{domain}", **options)
        listed = made.get(f"/projects?domain_id={domain}&name=openstackoid-doctor", **options)
        grant = f"openstack role add --user {section.username} --domain {domain} manager"
        if answer.status_code == requests.codes.not_found:
            yield failed(
                check, "Keystone knows no such domain", "Correct projects of the agreement: openstackoid peer allow"
            )
        elif listed.status_code != _OK:
            yield failed(check, f"{section.username} may not list projects: status {listed.status_code}", grant)
        elif not roles & _MAKERS:
            yield warning(check, f"{section.username} is neither admin nor manager: it may not make projects", grant)
        else:
            yield ok(check, f"{section.username} may make them")


def _leads_here(config: Config, catalog: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """Whether users, and services, find the gateway in the catalog instead of the services themselves."""
    looked_up = config.catalog.interface if config.catalog else None
    for kind, service in config.services.items():
        official, check = service_type(kind) or kind, f"catalog: {kind}"
        points = [
            point
            for entry in catalog
            if (service_type(entry["type"]) or entry["type"]) == official
            for point in entry["endpoints"]
            if point["region_id"] == config.region
        ]
        public = [point for point in points if point["interface"] == "public"]
        if not public:
            remedy = (
                f"openstack endpoint create --region {config.region} {official} public {config.endpoints[official]}"
            )
            yield failed(check, f"no public endpoint in {config.region}", remedy.replace(PROJECT, "'%(project_id)s'"))
            continue
        away = [point for point in points if not _is_below(point["url"], service.frontend)]
        # Where the gateway looks up a backend, the endpoint is the service itself on purpose.
        away = [point for point in away if service.backend or point["interface"] != looked_up]
        away = [point for point in away if point["interface"] != "admin"]
        for point in away:
            make = failed if point["interface"] == "public" else warning
            remedy = f"openstack endpoint set --url {config.endpoints[official]} {point['id']}"
            yield make(check, f"the {point['interface']} endpoint is {point['url']}, around the gateway", remedy)
        if not away:
            yield ok(check, f"leads to {service.frontend}")


def _is_below(url: str, base: str) -> bool:
    return url == base or url.startswith((f"{base}/", f"{base}?"))


def _identity(config: Config) -> str | None:
    for kind, service in config.services.items():
        if service_type(kind) == "identity" and service.backend:
            return service.backend
    return config.catalog.auth_url.removesuffix("/v3") if config.catalog else None


def _password(section: Catalog) -> v3.Password:
    return v3.Password(
        section.auth_url,
        username=section.username,
        password=section.password_file.read_text().strip(),
        user_domain_name=section.user_domain_name,
        project_name=section.project_name,
        project_domain_name=section.project_domain_name,
    )


def _session(config: Config) -> session.Session:
    plain = requests.Session()
    plain.trust_env = False
    return session.Session(verify=str(config.ca) if config.ca else True, timeout=_TIMEOUT, session=plain)
