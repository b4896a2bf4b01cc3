"""Copies of an image in other clouds: what of its metadata crosses, how a copy is marked, and whether an image is the one that was meant. Pure.

    openstackoid_copy_of      CLOUD/ID of the first original, also of a copy's copy: by it and by the checksum a copy is found again
    openstackoid_copy_state   CLOUD/OPERATION while the data is not verified; nova hands properties of an image on to snapshots of its servers,
                              so only an image with the state of an operation is ever deleted

A copy is hidden (`os_hidden`, glance 2.7) until its data is verified, so that nobody boots from half an image.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

from openstackoid.core.errors import NotReplicableError

COPY_OF: Final = "openstackoid_copy_of"
STATE: Final = "openstackoid_copy_state"
_ID: Final = re.compile(r"[0-9a-fA-F-]{32,36}\Z")
_MARK: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}/[0-9a-fA-F-]{32,36}\Z")
_HEX: Final = re.compile(r"[0-9a-f]{32,256}\Z")
_ALGORITHMS: Final = hashlib.algorithms_guaranteed - {"shake_128", "shake_256"}
_LARGEST: Final = 64 << 10  # characters of all properties
# Fields that become fields of the copy.
_CARRIED: Final = ("name", "disk_format", "container_format", "min_disk", "min_ram", "tags")
# Fields of the image's record in its own cloud: nobody expects them elsewhere.
_OWN: Final = frozenset(
    {
        *("id", "owner", "status", "created_at", "updated_at", "checksum", "os_hash_algo", "os_hash_value", "size"),
        *("virtual_size", "file", "self", "schema", "locations", "direct_url", "stores", "os_hidden", COPY_OF, STATE),
    }
)
_OF_SERVER: Final = "it is of the server that the image was taken of"
# Properties that mean nothing in another cloud: (pattern, why).
_STAY: Final = tuple(
    (re.compile(pattern + r"\Z"), why)
    for pattern, why in (
        ("kernel_id|ramdisk_id", "it names another image of that cloud"),
        ("img_signature.*", "the certificate is in that cloud's key store"),
        ("block_device_mapping|bdm_v2|root_device_name|mappings", _OF_SERVER),
        ("instance_uuid|base_image_ref|image_location|image_state|image_type|boot_roles|user_id", _OF_SERVER),
        ("owner_id|owner_user_name|owner_project_name|clean_attempts", _OF_SERVER),
        ("os_glance_.*", "glance keeps it for itself"),
    )
)
_KEYS: Final = ("cinder_encryption_key_id", "os_encrypt_key_id")


@dataclass(frozen=True, slots=True)
class Original:
    """An image that is copied, as its cloud shows it.

    Attributes:
        cloud: where it is read.
        id: of the image there.
        name: for people.
        size: bytes of its data.
        algorithm, digest: of the data; no digest if glance had none yet when the image was made.
        mark: value of `openstackoid_copy_of` at its copies.
        fields: what the copies get.
        left: property -> why it does not cross.
    """

    cloud: str
    id: str
    name: str
    size: int
    algorithm: str
    digest: str
    mark: str
    fields: Mapping[str, Any]
    left: Mapping[str, str] = field(default_factory=dict)

    @property
    def origin(self) -> tuple[str, str]:
        """Cloud and id of the first original."""
        cloud, _, name = self.mark.partition("/")
        return cloud, name

    def to_json(self) -> dict[str, Any]:
        """For the record of an operation."""
        return asdict(self)


def original(cloud: str, document: Any) -> Original:
    """Read an image that is to be copied.

    Args:
        cloud: that showed it.
        document: as glance shows one image.

    Raises:
        NotReplicableError: it cannot be copied; says why.
    """
    if not isinstance(document, dict) or not _ID.match(str(document.get("id"))):
        raise NotReplicableError(f"Expected one image from {cloud}, with an id.")
    image, name = str(document["id"]), str(document.get("name") or "")
    size, status = document.get("size"), document.get("status")
    if status != "active":
        raise NotReplicableError(f"Expected an active image, {cloud}'s {image} is {str(status)[:32]}.")
    if not isinstance(size, int) or size <= 0:
        raise NotReplicableError(f"{cloud}'s image {image} has no data of its own: it stands for volumes or snapshots.")
    if any(document.get(key) for key in _KEYS):
        raise NotReplicableError(f"{cloud}'s image {image} is encrypted with a key that only that cloud has.")
    algorithm, digest = str(document.get("os_hash_algo") or ""), str(document.get("os_hash_value") or "")
    if algorithm not in _ALGORITHMS or not _HEX.match(digest):
        algorithm, digest = "sha512", ""
    fields: dict[str, Any] = {key: document[key] for key in _CARRIED if _is_plain(document.get(key))}
    left: dict[str, str] = {}
    for key, value in document.items():
        if key in _OWN or key in _CARRIED or value is None:
            continue
        why = _why_left(key, value)
        if why:
            left[key] = why
        elif why is None:
            fields[key] = value
    if len(str(fields)) > _LARGEST:
        raise NotReplicableError(f"{cloud}'s image {image} has more than {_LARGEST} characters of properties.")
    mark = str(document.get(COPY_OF) or "")
    return Original(
        cloud, image, name, size, algorithm, digest, mark if _MARK.match(mark) else f"{cloud}/{image}", fields, left
    )


def to_create(image: Original, state: str) -> dict[str, Any]:
    """The document that creates a copy, hidden and in this state."""
    return {**image.fields, COPY_OF: image.mark, STATE: state, "os_hidden": True}


def to_finish() -> list[dict[str, Any]]:
    """The update of a copy whose data is verified."""
    return [{"op": "replace", "path": "/os_hidden", "value": False}, {"op": "remove", "path": f"/{STATE}"}]


def searches(image: Original) -> list[str]:
    """Path and query of the lists with the copies of an image: those that are shown, and those that are hidden."""
    return [f"/v2/images?{urlencode({COPY_OF: image.mark, 'os_hidden': hidden})}" for hidden in ("false", "true")]


def marked(image: Original, document: Any) -> list[dict[str, Any]] | None:
    """The copies in the answer to one of `searches`; None if it is no list of images."""
    items = document.get("images") if isinstance(document, dict) else None
    if not isinstance(items, list):
        return None
    return [
        item
        for item in items
        if isinstance(item, dict) and item.get(COPY_OF) == image.mark and _ID.match(str(item.get("id")))
    ]


def has_data(image: Original, document: Mapping[str, Any], digest: str = "") -> bool | None:
    """Whether an image has the original's data.

    Args:
        image: the original.
        document: of the other image.
        digest: of the original's data, as it was read, if its cloud shows none.

    Returns:
        None if that cannot be decided: the clouds use different hashes.
    """
    if document.get("status") != "active" or document.get("size") != image.size:
        return False
    digest = image.digest or digest
    if document.get("os_hash_algo") != image.algorithm or not digest:
        return None
    return document.get("os_hash_value") == digest


def _is_plain(value: Any) -> bool:
    """Whether a value is of a form that glance shows."""
    if isinstance(value, list):
        return all(isinstance(tag, str) for tag in value)
    return isinstance(value, (str, int))


def _why_left(key: str, value: Any) -> str | None:
    """Why a field does not cross; empty if there is nothing to say, None if it crosses."""
    if key == "visibility":
        return "" if value in {"private", "shared"} else f"it is {value} in that cloud; the copy is yours alone"
    if key == "protected":
        return "the copy is not protected" if value else ""
    for pattern, why in _STAY:
        if pattern.match(key):
            return why
    return None if isinstance(value, str) else "it is no text"
