"""URLs of databases: which kinds there are, which driver each needs, and what an operator reads when a URL is none of them."""

from typing import Final

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from openstackoid.core.errors import OpenStackoidError

_DRIVERS: Final = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "mariadb": "mariadb+pymysql"}
# Module of a driver -> the extra of openstackoid that installs it.
_EXTRAS: Final = {"psycopg": "postgresql", "pymysql": "mariadb"}


class StoreError(OpenStackoidError):
    """A database cannot be used, or does not hold what it should. The message names it without its password."""

    status = 503
    code = "store.failed"


def parse_url(url: str, option: str) -> URL:
    """Read the URL of a database.

    Args:
        url: SQLAlchemy URL of SQLite, PostgreSQL or MariaDB; `mysql` is MariaDB.
        option: the option of the configuration that it comes from, for error messages.

    Returns:
        The URL with the driver that is used for its kind.

    Raises:
        StoreError: not a URL, not of these kinds, or SQLite without a file. The message does not repeat the URL: it may hold a password.
    """
    try:
        parsed = make_url(url)
        kind = {"mysql": "mariadb"}.get(parsed.get_backend_name(), parsed.get_backend_name())
    except (ArgumentError, ValueError):
        parsed, kind = None, ""
    if parsed is None or kind not in _DRIVERS:
        raise StoreError(
            f"{option}: expected sqlite:///FILE, postgresql://USER:PASSWORD@HOST/NAME or mariadb://... "
            "(a % or @ within the password as %25 or %40)"
        )
    if kind == "sqlite" and parsed.database in {None, "", ":memory:"}:
        raise StoreError(f"{option}: expected a file, sqlite:///FILE: all processes share it")
    return parsed.set(drivername=_DRIVERS[kind])


def printable(url: URL) -> str:
    """A URL without its password, for messages and logs; its query may hold passwords, too."""
    return url.set(query={}).render_as_string(hide_password=True)


def extra_for(module: str | None) -> str:
    """The extra of openstackoid that installs a driver's module."""
    return _EXTRAS.get(module or "", "postgresql,mariadb")
