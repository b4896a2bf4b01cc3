"""Backends from a catalog: those of this gateway's region."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.wire import PROJECT, Upstream, reply

from openstackoid.core.errors import ConfigError
from openstackoid.gateway.settings.loading import load
from openstackoid.gateway.upstream import backends
from openstackoid.gateway.upstream.pool import Pool


def service(kind: str, **ports: int) -> dict[str, Any]:
    points = [
        {"interface": "internal", "region": name, "region_id": name, "url": f"http://10.0.0.1:{port}/v2.1/{PROJECT}"}
        for name, port in ports.items()
    ]
    return {"type": kind, "endpoints": points}


@pytest.fixture
def keystone() -> Iterator[Upstream]:
    catalog = [service("compute", East=1, West=2, North=3), service("image", West=5)]
    token = {"token": {"project": {"id": PROJECT}, "catalog": catalog}}
    upstream = Upstream(lambda _seen, _socket: reply(201, token))
    yield upstream
    upstream.close()


async def found(folder: Path, keystone: Upstream, kinds: tuple[str, ...] = ("compute",), **more: Any) -> dict[str, str]:
    (folder / "password").write_text("x")
    catalog = {"auth_url": f"{keystone.url}/v3", "username": "u", "password_file": "password", "project_name": "p"}
    if "named" in more:
        catalog["region"] = more.pop("named")
    services = {kind: {"frontend": f"http://127.0.0.1:{9000 + number}"} for number, kind in enumerate(kinds)}
    (folder / "gateway.yaml").write_text(
        json.dumps({"cloud": "CloudOne", "services": services, "catalog": catalog} | more)
    )
    config = load(folder / "gateway.yaml")
    pool = Pool(config)
    try:
        return dict((await backends.find(config, pool.shared)).bases)
    finally:
        await pool.close()


@pytest.mark.parametrize(
    ("more", "port"),
    [
        ({"region": "East"}, 1),
        ({"region": "West"}, 2),
        ({"named": "East"}, 1),
        ({"region": "West", "named": "North"}, 3),
    ],
)
async def test_the_region_is_the_one_that_the_file_names(
    tmp_path: Path, keystone: Upstream, more: dict[str, Any], port: int
) -> None:
    """It was the last one of the catalog."""
    assert await found(tmp_path, keystone, **more) == {"compute": f"http://10.0.0.1:{port}"}


async def test_without_a_name_there_may_be_one_region_only(tmp_path: Path, keystone: Upstream) -> None:
    with pytest.raises(ConfigError, match=r"regions East, North, West\. Name"):
        await found(tmp_path, keystone)


async def test_a_region_without_the_service_is_said(tmp_path: Path, keystone: Upstream) -> None:
    with pytest.raises(ConfigError, match=r"no image endpoint at interface internal in region East. It has: compute\."):
        await found(tmp_path, keystone, ("compute", "image"), region="East")
    assert await found(tmp_path, keystone, ("compute", "image"), region="West") == {
        "compute": "http://10.0.0.1:2",
        "image": "http://10.0.0.1:5",
    }
