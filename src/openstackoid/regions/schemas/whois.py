"""Who a pseudonym is."""

from typing import Final

from openstackoid.regions.schemas.common import DIALECT, ID, KEYSTONE_ID, REASON, Schema, closed

# A pseudonym, or the id of a user at the provider; and why somebody must be known, for those who read who asked.
ASK: Final[Schema] = {"$schema": DIALECT, **closed({"id": ID, "reason": REASON}, "id")}
FOUND: Final[Schema] = {
    "$schema": DIALECT,
    **closed({"kind": {"enum": ["user", "project"]}, "id": KEYSTONE_ID, "name": REASON, "domain_id": KEYSTONE_ID}, "*"),
}
