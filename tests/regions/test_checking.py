"""`openstackoid regions check` on both sides: what the accounts lack, and the remedy."""

import asyncio
import secrets
from pathlib import Path

from tests.regions.deals import Deal
from tests.regions.planes import two_planes


async def test_what_accounts_lack_is_said_with_the_remedy(tmp_path: Path) -> None:
    async with two_planes(tmp_path, accounts=("manager", "admin")) as (provider, consumer):
        deal = Deal(provider, consumer, secrets.token_hex(16))
        deal.cloud.add_domain(deal.domain)
        await deal.active()
        local = deal.sub_project()
        code, text = await asyncio.to_thread(provider.check)
        assert (code, "FAULT" in text) == (0, False), text
        assert f"openstackoid looks after the domain {deal.domain}" in text
        assert deal.projects() == {local}  # the project that was tried is gone
        assert (await asyncio.to_thread(consumer.check))[0] == 0

        deal.cloud.add_domain(deal.domain, ("reader",))
        code, text = await asyncio.to_thread(provider.check)
        assert (code, "manager is missing" in text) == (1, True), text
        assert f"openstack role add --domain {deal.domain} --user openstackoid" in text

        consumer.door.catalog.stop_after(0)
        code, text = await asyncio.to_thread(consumer.check)
        assert (code, "FAULT  regions may delete endpoints" in text) == (1, True), text
        assert "openstack role add --user regions --project admin admin" in text


async def test_what_is_there_is_listed_for_both_sides(tmp_path: Path) -> None:
    async with two_planes(tmp_path, accounts=("manager",)) as (provider, consumer):
        deal = Deal(provider, consumer, secrets.token_hex(16))
        deal.cloud.add_domain(deal.domain)
        await deal.active(anonymous=False, grace_days=1)
        deal.sub_project("p" * 32)
        await deal.event("end")
        lists = []
        for plane in (provider, consumer):
            status, answer = await plane.call("GET", f"/v1/contracts/{deal.contract}/resources")
            assert status == 200, answer
            lists.append(answer["resources"])
        assert lists[0] == lists[1]
        assert {row["project"] for row in lists[1]} == {"p" * 32}
        assert [row["name"] for row in lists[1] if row["kind"] == "servers"] == ["vm"]
