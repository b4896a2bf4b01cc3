"""Lists that change while a client walks through them: what stays is found once, whatever comes and goes beside it."""

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.gateway.lists import FakeCloud, next_link, row
from tests.gateway.test_fanout_walks import Clouds, written
from tests.volume import volume

# (item's number, cloud, position among the pages) of what comes or goes between two pages.
changes = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 2), st.integers(0, 6), st.booleans()), max_size=12)


@settings(max_examples=volume(60), deadline=None)
@given(st.lists(st.integers(0, 9), min_size=3, max_size=3), changes, st.integers(1, 5), st.booleans())
def test_what_stays_is_found_once(
    sizes: list[int], changed: list[tuple[int, int, int, bool]], limit: int, by_id: bool
) -> None:
    async def walk() -> None:
        of = row("servers")
        clouds = Clouds(
            of,
            {
                name: FakeCloud(of, [_item(name, n * 3) for n in range(size)])
                for name, size in zip("ABC", sizes, strict=True)
            },
        )
        stays = {(name, item["id"]) for name, cloud in clouds.clouds.items() for item in cloud.items}
        found: list[tuple[str, str]] = []
        query: str | None = f"limit={limit}"
        for page_number in range(60):
            assert query is not None
            page = await clouds.page(query)
            document = written(page)
            names = [page.names[owner] for owner in page.owners]
            ids = [item["id"] for item in document["servers"]]
            found += zip(names, ids, strict=True)
            link = next_link(of, document)
            query = f"limit={limit}&marker={ids[-1]}" if by_id and ids else link.partition("?")[2] if link else None
            if not ids or (not by_id and link is None):
                break
            last = {name: [one for cloud, one in found if cloud == name][-1:] for name in "ABC"}
            for number, place, when, comes in changed:
                if when != page_number:
                    continue
                name = "ABC"[place]
                items, item = clouds.clouds[name].items, _item(name, number)
                there = [one for one in items if one["id"] == item["id"]]
                if comes and not there:
                    items.append(item)
                elif (
                    not comes and there and [item["id"]] != last[name]
                ):  # a marker that is deleted is refused by the services themselves
                    items.remove(there[0])
                    stays.discard((name, item["id"]))
        assert len(found) == len(set(found))
        assert stays <= set(found)

    asyncio.run(walk())


def _item(cloud: str, number: int) -> dict[str, Any]:
    return {"id": f"{cloud}{number:02}", "name": "n", "created": f"{2000 - number // 4}"}
