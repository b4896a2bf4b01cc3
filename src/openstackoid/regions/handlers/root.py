"""Which versions there are, for everybody."""

from typing import Any, Final

from openstackoid.regions.handlers.call import Call

SERVICE_TYPE: Final = "virtual-region"
MINIMUM: Final = (1, 0)
MAXIMUM: Final = (1, 0)


async def versions(call: Call) -> dict[str, Any]:
    """The versions, in the form that keystoneauth1 reads (`discover.py`, version_data)."""
    return {"versions": [_version(call)]}


async def version(call: Call) -> dict[str, Any]:
    """Version 1."""
    return {"version": _version(call)}


def text(number: tuple[int, int]) -> str:
    """`1.0`."""
    return f"{number[0]}.{number[1]}"


def _version(call: Call) -> dict[str, Any]:
    return {
        "id": "v1.0",
        "status": "CURRENT",
        "min_version": text(MINIMUM),
        "max_version": text(MAXIMUM),
        "links": [{"rel": "self", "href": f"{call.url}/v1"}],
    }
