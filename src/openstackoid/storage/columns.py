"""Types of columns that mean the same on every kind of database.

MariaDB compares text without regard to case and accents by default: it would take `cloudtwo` for `CloudTwo`. `utf8mb4_bin` compares by character.
"""

from typing import Any

from sqlalchemy import String, Text
from sqlalchemy.dialects import mysql


def exact(length: int) -> Any:
    """Text of at most `length` characters, compared character by character."""
    return String(length).with_variant(
        mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb"
    )


def document() -> Any:
    """JSON as text; no statement looks inside it, so it is the same on every database."""
    return Text().with_variant(mysql.MEDIUMTEXT(charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb")
