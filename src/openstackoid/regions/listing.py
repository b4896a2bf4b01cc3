"""Lists of services, whole: page after page, each as small as its items need.

What stands in a list is its users' to choose: metadata, properties and names can make an item large, and a page too large to be read. So a page that
is too large is asked for again with half of its items. Where a list goes on is the service's word: its query alone is taken, never its address.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from openstackoid.regions.errors import ServiceFailedError
from openstackoid.regions.service_account import ServiceAccount, TooLargeError, refusal

_PAGE: Final = 200  # items
_MOST: Final = 100_000  # pages
_OK, _NO_CONTENT = 200, 204


async def whole(account: ServiceAccount, url: str, key: str) -> tuple[int, Any, list[Mapping[str, Any]]]:
    """All items of a list.

    Args:
        account: who asks.
        url: of the list.
        key: of the items in the answer; empty if the answer is the list.

    Returns:
        Status and document of the last answer, and the items; none if the list was refused.

    Raises:
        AccountRefusedError, ServiceFailedError: the account is refused, the service does not answer, one item is too large, or a page after
            the first is refused: half a list must not pass for a whole one.
    """
    address, _, first = url.partition("?")
    query, size = dict(parse_qsl(first)), _PAGE
    items: list[Mapping[str, Any]] = []
    status: int = 0
    answer: Any = None
    for _ in range(_MOST):
        try:
            status, answer = await account.call("GET", f"{address}?{urlencode({**query, 'limit': size})}")
        except TooLargeError:
            if size == 1:
                raise
            size //= 2
            continue
        page = answer if isinstance(answer, list) else answer.get(key) if isinstance(answer, dict) else None
        if status != _OK or not isinstance(page, list):
            if items and status != _NO_CONTENT:
                raise ServiceFailedError(f"A list of {key or 'objects'} does not go on: {refusal(status, answer)}.")
            break
        items += [item for item in page if isinstance(item, dict)]
        following = _following(answer, key, page, size)
        if not following or following == query:
            break
        query = query | following
    return status, answer, items


def _following(answer: Any, key: str, page: list[Any], size: int) -> dict[str, str]:
    """The query of the next page; empty if there is none."""
    if isinstance(answer, list):  # object-store
        last = page[-1] if len(page) >= size else None
        return {"marker": str(last["name"])} if isinstance(last, dict) and last.get("name") else {}
    links = answer.get(f"{key}_links")
    links = links if isinstance(links, list) else []
    named = answer.get("links")
    candidates = [link.get("href") for link in links if isinstance(link, dict) and link.get("rel") == "next"]
    candidates += [answer.get("next"), named.get("next") if isinstance(named, dict) else None]
    link = next((str(candidate) for candidate in candidates if candidate), "")
    return {name: value for name, value in parse_qsl(urlsplit(link).query) if name != "limit"}
