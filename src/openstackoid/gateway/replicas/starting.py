"""Makes the runner of operations from the configuration."""

import os
import time
from typing import TYPE_CHECKING, cast

from openstackoid.core.errors import ConfigError
from openstackoid.gateway.federation.own_keys import OwnKeys
from openstackoid.gateway.replicas.pace import Patience
from openstackoid.gateway.replicas.records import FORM
from openstackoid.gateway.replicas.running import Await, Restore, Runner, Settings
from openstackoid.gateway.replicas.sealed import Seals
from openstackoid.gateway.replicas.tables import MIGRATIONS, TABLES
from openstackoid.gateway.settings.config import Config
from openstackoid.operations.store import Store
from openstackoid.trust import key_files

if TYPE_CHECKING:
    from openstackoid.gateway.settings.sections import Operations
    from openstackoid.trust.keys import Keys


def runner(config: Config, own_keys: OwnKeys | None, restore: Restore, waits: Await) -> Runner:
    """The runner of a gateway's operations.

    Args:
        config: with a section `operations`.
        own_keys: of the section `trust`; None without one.
        restore: makes what asks clouds, for an operation that is taken over.
        waits: is told of what waits for a cloud.

    Raises:
        OpenStackoidError: the database's URL, or the keys, cannot be used.
    """
    settings = cast("Operations", config.operations)
    url = settings.database or os.environ.get(settings.database_env or "", "")
    if not url:
        raise ConfigError(f"operations.database_env: the variable {settings.database_env} is empty")
    option = "operations.database"
    store = Store(url, TABLES, MIGRATIONS, FORM, option=option, lease=settings.lease, keep=settings.keep)

    def keys() -> "Keys":
        return own_keys.current if own_keys and settings.keys is None else key_files.load(settings.keys)

    keys()  # an error now, and not with the first create
    chosen = Settings(
        settings.timeout,
        settings.settle,
        settings.scan,
        patience(config),
        settings.copies,
        settings.copies_per_user,
    )
    return Runner(store, Seals(keys, time.time), chosen, restore, config.cloud, waits)


def patience(config: Config) -> Patience:
    """How slow a cloud may be that sends or takes data of an image."""
    return Patience(config.timeouts.idle, config.operations.least_rate if config.operations else 0.0)
