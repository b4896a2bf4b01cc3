"""The worlds of these tests: real HAProxies, real gateways, and everything else fake at the wire."""

from collections.abc import Iterator

import pytest
from tests.commands import NO_AUTHORITIES
from tests.gateway.wire import ask, until
from tests.haproxy.doorway import Door, closed, opened
from tests.haproxy.world import Authority, Fronted, Secure, World, wrote_no_secret

IMAGES = {"services": ["image", "network", "compute"], "projects": "each:default"}


@pytest.fixture(scope="package", autouse=True)
def no_authorities() -> Iterator[None]:
    """Configurations are rendered in the tests' own process, which checks those of a gateway."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in NO_AUTHORITIES.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="package")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    signer = Authority(folder)
    one = Fronted("CloudOne", folder / "one", signer=signer)
    two = Fronted("CloudTwo", folder / "two", paths=True, signer=signer)
    three = Fronted("CloudThree", folder / "three", paths=True)
    bare = Secure("CloudBare", signer)
    passing = {"token": "pass-through"}
    door = {each: each.frontends["identity"].removesuffix("/identity") for each in (one, three)}
    clouds = (one, two, three)
    one.start(
        {
            "CloudTwo": two.entry({"services": ["image"]}),
            "CloudBare": bare.entry({"services": ["image"]}),
            "CloudThree": passing | {"url": door[three]},
        },
        recheck=300,
        more={"scopes": {"images-elsewhere": {"image": "CloudTwo"}}},
    )
    two.start({"CloudOne": one.entry(IMAGES)}, recheck=300)
    three.start({"CloudOne": passing | {"url": door[one]}})
    try:
        for cloud in clouds:
            cloud.ready()
        until(lambda: one.agreed("CloudTwo", "CloudBare") and two.agreed("CloudOne"))
        until(lambda: {"CloudTwo|image", "CloudBare|image", "CloudThree|image"} <= one.proxy.peers.keys())
        yield World(one, two, three, bare)
        written = [ask(each.gateway.admin, "/metrics", token=None).body.decode() for each in clouds]
    finally:
        for cloud in clouds:
            cloud.stop()
        bare.close()
    wrote_no_secret(*clouds, more=written)


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    made = opened(tmp_path_factory.mktemp("door"))
    try:
        yield made
    finally:
        closed(made)
