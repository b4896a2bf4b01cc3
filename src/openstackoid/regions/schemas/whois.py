"""Who a pseudonym is."""

from typing import Final

from openstackoid.regions.schemas.common import DIALECT, ID, KEYSTONE_ID, REASON, Schema, closed

# A pseudonym, or the id of a user at the provider.
ASK: Final[Schema] = {"$schema": DIALECT, **closed({"id": ID}, "*")}
FOUND: Final[Schema] = {
    "$schema": DIALECT,
    **closed({"kind": {"enum": ["user", "project"]}, "id": KEYSTONE_ID, "name": REASON, "domain_id": KEYSTONE_ID}, "*"),
}
