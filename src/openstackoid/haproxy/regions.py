"""Image data of regions that are parts of other clouds: their paths name the region, so the request needs no scope. Pure.

The catalog of an aggregator leads to `/scope/REGION/TYPE`, at the address of its identity service. As under a scope (`other_owners`), image data
alone goes to the other owner's cloud without the gateway. The rules accept one spelling of such a request; any other is the gateway's.

    tokens.map  TAIL OF THE TOKEN|region|REGION  ->  EXPIRY:USER:PROJECT:CONTRACT:RCLOUD|image:::::TOKEN      (`maps`)
"""

from collections.abc import Iterator
from typing import Final

from openstackoid.core.protocol import SCOPED_PREFIX
from openstackoid.haproxy import maps
from openstackoid.haproxy.patterns import BEFORE, RAW, image_data
from openstackoid.haproxy.plan import PEERS, TOKENS, Plan

_NAME: Final = "[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_PREFIX: Final = f"{SCOPED_PREFIX}{_NAME}/image"


def rules(plan: Plan, asking: str) -> Iterator[str]:
    """Rules of the front with the identity service; none if its own image service is where a region's would be taken for it.

    Args:
        plan: of the cloud.
        asking: the sample of the token.
    """
    prefixes = [service.prefix for front in plan.fronts for service in front.services if service.kind == "image"]
    if any(prefix and BEFORE.startswith(f"{prefix}/") for prefix in prefixes):
        return
    yield "  # Image data in a region. In the path is the region's name, and nowhere a scope; all that is not exactly so is the gateway's."
    yield f"  acl region_data url -m reg ^{_PREFIX}{image_data('').removeprefix('^')}"
    yield "  http-request set-var(txn.region) path,field(3,/) if own_path region_data"
    yield "  acl in_region var(txn.region) -m found"
    yield "  acl odd_in_region var(txn.scope) -m found"
    yield "  acl odd_in_region req.fhdr(x-subject-token) -m found"
    yield "  acl odd_in_region stopping"
    yield "  acl region_download method GET"
    yield "  acl region_upload method PUT"
    yield "  acl region_body req.fhdr(content-length) -m found"
    yield "  acl region_body req.fhdr(transfer-encoding) -m found"
    yield "  acl region_content_type req.fhdr(content-type) -m found"
    yield f"  acl region_raw req.fhdr(content-type) -m reg {RAW}"
    yield (
        "  http-request allow if in_region odd_in_region set_away || in_region unsafe_header set_away || in_region !bare_token set_away || "
        "in_region !set_leased set_away || in_region !lease_in_force set_away || in_region region_download region_body set_away || "
        "in_region !region_download !region_upload set_away || in_region region_content_type !region_raw set_away || "
        "in_region !{ req.ver 1.1 } set_away"
    )
    yield (
        f"  acl set_region_token {asking},bytes({maps.TAIL_START}),concat(|{maps.REGION}|,txn.region),"
        f"map_str({plan.file(TOKENS)}),set-var(txn.learned),field(5,:),set-var(txn.way),bytes(1),"
        f"map_str({plan.file(PEERS)}),set-var(txn.place) -m found"
    )
    yield "  acl region_token_in_force date(0,ms),sub(txn.learned) -m int lt 0"
    yield "  acl set_image str(image),set-var(txn.service) -m found"
    yield (
        f"  http-request replace-path ^{SCOPED_PREFIX}[^/]+/image(/.*)$ \\1 "
        "if in_region set_region_token region_token_in_force set_image set_peer set_away"
    )
    yield "  http-request allow if in_region set_away"
