"""A list that looks for one resource by its name: the members of a replica are one item, as its users see them as one resource.

Clients find a resource by its name in a list, and refuse a name that two items have. A list without a name stays as it is, with an
item for each member.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Final, TypeAlias

from openstackoid.gateway.fanout.pages import Page

_MOST: Final = 200  # items: more are no search for one resource

# From (cloud, id) of items to those of them that stand for a resource which another item already is.
Fold: TypeAlias = Callable[[Sequence[tuple[str, str]]], Awaitable[Collection[tuple[str, str]]]]


async def folded(pages: Mapping[str, Page], fold: Fold) -> dict[str, Page]:
    """The pages of the clouds, without the further members of a replica; unchanged if they are not the whole list.

    Args:
        pages: of each cloud, the first ones.
        fold: says which items are left out.
    """
    number = sum(len(page.ids) for page in pages.values())
    if len(pages) < 2 or not 1 < number <= _MOST or any(page.part.more for page in pages.values()):  # noqa: PLR2004
        return dict(pages)
    items = [(cloud, resource_id) for cloud, page in pages.items() for resource_id in page.ids]
    left_out = set(await fold(items))
    return {
        cloud: _without(page, {member for name, member in left_out if name == cloud}) for cloud, page in pages.items()
    }


def one_of_each(fold: Fold | None, entry: str) -> Fold:
    """Also leaves out what has the same name in other clouds, if no cloud has two of them: for clients that ask for that, in lists by name.

    Args:
        fold: of replicas.
        entry: the cloud whose item stands for all, if it has one.
    """

    async def folding(items: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        left_out = set(await fold(items)) if fold is not None else set()
        left = [item for item in items if item not in left_out]
        clouds = [cloud for cloud, _ in left]
        if len(set(clouds)) < len(clouds):
            return left_out
        return left_out | set(sorted(left, key=lambda item: item[0] != entry)[1:])

    return folding


def _without(page: Page, left_out: set[str]) -> Page:
    kept = [place for place, resource_id in enumerate(page.ids) if resource_id not in left_out]
    return page.only(kept) if len(kept) < len(page.ids) else page
