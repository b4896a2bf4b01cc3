"""Checks of the account for quotas of virtual regions: each right that the gateway needs of a service is tried by asking, and nothing is set."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from keystoneauth1 import exceptions, session
from keystoneauth1.identity import v3

from openstackoid.core.region_quota import QUOTAS
from openstackoid.core.services import service_type
from openstackoid.gateway.settings.config import Config
from openstackoid.operators.doctor.finding import Finding, failed, ok, skipped
from openstackoid.trust.contracts import ContractGrant, ContractSide

_OK: Final = 200
_UNKNOWN: Final = "0" * 32  # no project has this id: it is asked about, and no service minds
# What the gateway asks of each service (gateway/quotas/services.py), of a project that owns nothing.
_QUESTIONS: Final[Mapping[str, str]] = {
    "compute": f"/v2.1/servers/detail?all_tenants=1&project_id={_UNKNOWN}&limit=1",
    "network": f"/v2.0/quotas/{_UNKNOWN}/details",
    "block-storage": f"/v3/{{project}}/os-quota-sets/{_UNKNOWN}?usage=True",
    "image": f"/v2/images?owner={_UNKNOWN}&limit=1",
}


def counted(contracts: Collection[ContractGrant]) -> list[str]:
    """The services that count something of the quotas in these contracts."""
    sold = [contract for contract in contracts if contract.side is ContractSide.PROVIDER and not contract.region]
    return sorted({QUOTAS[name] for contract in sold for name in contract.quota if name in QUOTAS})


def rights(
    config: Config, made: session.Session, auth: v3.Password, username: str, key: str, services: Collection[str]
) -> Iterator[Finding]:
    """Whether an account may count at these services what projects use.

    Args:
        config: with the services' backends.
        made: connections.
        auth: the account, which can log in.
        username: the account's.
        key: of the account in the configuration.
        services: official service types.
    """
    roles = set(auth.get_access(made).role_names or ())
    remedy = f"openstack role add --user {username} --project PROJECT admin"
    if services and "admin" not in roles:
        told = f"{username} has the roles {', '.join(sorted(roles)) or 'none'}; services let admins set quotas"
        yield failed(f"{key}: quotas", told, remedy)
    bases = {service_type(kind) or kind: service.backend for kind, service in config.services.items()}
    for service in services:
        check, base = f"{key}: {service}", bases.get(service)
        if base is None:
            yield skipped(check, f"services.{service}.backend does not say where it is")
            continue
        path = _QUESTIONS[service].format(project=auth.get_project_id(made))
        options: dict[str, Any] = {"auth": auth, "raise_exc": False}
        try:
            status = made.get(f"{base}{path}", **options).status_code
        except exceptions.ClientException as error:
            yield failed(check, str(error), f"Start the {service} service, or correct its backend")
            continue
        if status == _OK:
            yield ok(check, f"{username} may count what projects use")
        else:
            yield failed(check, f"{username} may not count what projects use: status {status}", remedy)
