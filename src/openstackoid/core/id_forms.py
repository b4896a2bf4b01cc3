"""The forms of Keystone's ids of users, projects and domains. Pure.

    32 hex digits   projects, domains and users (keystone/common/utils.py and callers: `uuid.uuid4().hex`)
    a UUID          the same with dashes, from tools that make ids themselves
    64 hex digits   users of LDAP and of federation (keystone/identity/id_generators/sha256.py)
    default         the first domain ([identity] default_domain_id)
    Federated       the domain of users of identity providers, in older versions ([federation] federated_domain_name)

An id of another form is a problem between clouds: ids are mapped in paths, and an id that is a word, such as `flavors`, would be replaced where
a path has that word. LDAP's users in the default domain may have such ids ([identity_mapping] backward_compatible_ids).
"""

import re
from typing import Final

USERS: Final = "32 or 64 hex digits or a UUID"
PROJECTS: Final = "32 hex digits or a UUID"
DOMAINS: Final = "default, Federated, 32 hex digits or a UUID"
_ID: Final = re.compile(r"(?:[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\Z")
_LONG: Final = re.compile(r"[0-9a-f]{64}\Z")
_DOMAINS: Final = frozenset({"default", "Federated"})


def is_project(text: str) -> bool:
    """Whether a text can be a project's id."""
    return _ID.match(text) is not None


def is_user(text: str) -> bool:
    """Whether a text can be a user's id."""
    return is_project(text) or _LONG.match(text) is not None


def is_domain(text: str) -> bool:
    """Whether a text can be a domain's id."""
    return text in _DOMAINS or is_project(text)


def like_domain(text: str) -> bool:
    """Whether a text could be taken for a domain's id, in any case."""
    return text.lower() in {name.lower() for name in _DOMAINS} or is_user(text.lower())
