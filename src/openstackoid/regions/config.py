"""The configuration of `openstackoid regions serve`: one YAML file.

cloud: CloudP
keystone: https://keystone.cloudp.example/v3      # asks it whose token a caller has
listen: 127.0.0.1:9700                            # operators, behind the cloud's frontends
listen_peers: 127.0.0.1:9701                      # other clouds' control planes, behind the peering door
database: postgresql://...                        # or database_env
trust_database: sqlite:////var/lib/...            # agreements with peers; the same database if not given; or trust_database_env
keys: /etc/openstackoid/keys.json                 # or keys_env, keys_command: as in the gateway's file
policy_file: /etc/openstackoid/policy.yaml
aggregator:                                       # binds regions of its own catalog to contracts
  gateway: https://cloudp.example:5000            # where users call this cloud's identity service, at its gateway
  username: regions                               # may change the catalog
  password_file: /etc/openstackoid/regions-password
  project_name: admin
provider:                                         # sets up what a contract needs, and removes it in the end
  manager:                                        # a user of each region's domain, with the role manager on it
    username: openstackoid
    password_file: /etc/openstackoid/manager-password
  admin:                                          # for what services leave to admins alone: default security groups, keypairs
    username: openstackoid
    password_file: /etc/openstackoid/admin-password
    project_name: admin
ca: /etc/ssl/ca.pem                               # who may sign for Keystone and for peers; the system's if not given
"""

import os
import re
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from openstackoid.core.errors import ConfigError
from openstackoid.core.scope import is_name

_URL: Final = re.compile(r"https?://[^\s?#]+\Z")
_LISTEN: Final = re.compile(r"(?:\[[0-9a-fA-F:]+\]|[^:\s]+):[0-9]{1,5}\Z")


def _name(text: str) -> str:
    if not is_name(text):
        raise ValueError("expected the name of a cloud")
    return text


def _url(text: str) -> str:
    if not _URL.match(text):
        raise ValueError("expected an http(s) URL without query")
    return text.rstrip("/")


def _address(text: str) -> str:
    if not _LISTEN.match(text):
        raise ValueError("expected ADDRESS:PORT")
    return text


_Address = Annotated[str, AfterValidator(_address)]


class Aggregator(BaseModel):
    """What an aggregator has beside a provider: a catalog that it writes.

    Attributes:
        gateway: base URL where users call this cloud's identity service; regions are served below the same host and port.
        identity: URL of the identity service in the regions' catalog; the gateway's with `/v3` if not given.
        username, password_file, user_domain_name, project_name, project_domain_name: account that may change the catalog.
        projects_every: seconds between two comparisons of this cloud's projects with those at providers.
        deleted_after: seconds after which a project that Keystone does not list any more counts as deleted.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    gateway: Annotated[str, AfterValidator(_url)]
    identity: Annotated[str, AfterValidator(_url)] | None = None
    username: str
    password_file: Path
    user_domain_name: str = "Default"
    project_name: str
    project_domain_name: str = "Default"
    projects_every: Annotated[float, Field(gt=0, le=86400)] = 60
    deleted_after: Annotated[int, Field(ge=0)] = 3600

    @property
    def base(self) -> str:
        """Scheme, host and port of the gateway."""
        parts = urlsplit(self.gateway)
        return f"{parts.scheme}://{parts.netloc}"


class DomainManager(BaseModel):
    """A user of each region's domain, with the role `manager` on it.

    Attributes:
        username, password_file: the same in each domain.
        user_domain_name: where the user is; the region's domain if not given. A user of another domain cannot clean up: it may not give itself roles.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    username: str
    password_file: Path
    user_domain_name: str | None = None


class Admin(BaseModel):
    """An admin, by Keystone's default policies, with a project."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    username: str
    password_file: Path
    user_domain_name: str = "Default"
    project_name: str
    project_domain_name: str = "Default"


class Provider(BaseModel):
    """What a provider has beside an aggregator: accounts that set up and clean up.

    Attributes:
        manager: for the projects of regions' domains.
        admin: for what services leave to admins alone; not needed for anything else.
        settle: seconds after a contract's end in which requests that gateways had let in may still create something; the clean-up begins after them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    manager: DomainManager
    admin: Admin | None = None
    settle: Annotated[int, Field(ge=0, le=300)] = 3


class Config(BaseModel):
    """The form above.

    Attributes:
        audit: files of this cloud's gateways, to compare statements of use with.
        skew: seconds by which the clocks of two clouds may differ.
        recheck: seconds for which Keystone's answer about a token counts.
        tick: seconds between two polls of the outbox and of the clock.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    cloud: Annotated[str, AfterValidator(_name)]
    keystone: Annotated[str, AfterValidator(_url)]
    listen: _Address
    listen_peers: _Address
    database: str | None = None
    database_env: str | None = None
    trust_database: str | None = None
    trust_database_env: str | None = None
    keys: Path | None = None
    keys_env: str | None = None
    keys_command: list[str] | None = None
    policy_file: Path | None = None
    audit: list[Path] = Field(default_factory=list)
    aggregator: Aggregator | None = None
    provider: Provider | None = None
    ca: Path | None = None
    skew: Annotated[int, Field(ge=0, le=120)] = 30
    recheck: Annotated[float, Field(ge=0, le=300)] = 10
    tick: Annotated[float, Field(gt=0, le=60)] = 1

    @model_validator(mode="after")
    def _one_of_each(self) -> "Config":
        if (self.database is None) is (self.database_env is None):
            raise ValueError("expected one of database and database_env")
        if self.trust_database is not None and self.trust_database_env is not None:
            raise ValueError("expected one of trust_database and trust_database_env")
        if sum(value is not None for value in (self.keys, self.keys_env, self.keys_command)) != 1:
            raise ValueError("expected one of keys, keys_env and keys_command")
        return self

    @property
    def database_url(self) -> str:
        """URL of the database of virtual regions.

        Raises:
            ConfigError: a variable should name it, and is empty.
        """
        return _from("database", self.database, self.database_env)

    @property
    def trust_url(self) -> str:
        """URL of the database of agreements with peers.

        Raises:
            ConfigError: a variable should name it, and is empty.
        """
        if self.trust_database is None and self.trust_database_env is None:
            return self.database_url
        return _from("trust_database", self.trust_database, self.trust_database_env)


def load(path: Path) -> Config:
    """Read a configuration file.

    Raises:
        ConfigError: naming the file, the key and what was expected.
    """
    try:
        document: Any = yaml.safe_load(path.read_text())
        return Config.model_validate(document)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not YAML: {getattr(error, 'problem', None) or 'malformed'}") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{path}: {key + ': ' if key else ''}{first['msg']}") from None


def _from(name: str, value: str | None, variable: str | None) -> str:
    text = value or os.environ.get(variable or "", "")
    if not text:
        raise ConfigError(f"{name}_env: the variable {variable} is empty")
    return text
