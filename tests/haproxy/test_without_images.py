"""A cloud without an image service: HAProxy has no map for image data, and is taught all the same."""

from pathlib import Path

from tests.gateway.wire import Upstream, ask, reply, until
from tests.haproxy.world import Fronted

SCOPE = {"X-Scope": '{"compute":"Other"}'}


def test_a_cloud_without_images_is_taught(tmp_path: Path) -> None:
    there = Upstream(lambda seen, _: reply(200, {"target": seen.target}))
    one = Fronted("CloudOne", tmp_path / "one")
    del one.frontends["image"]
    one.start({"Other": {"url": there.url, "token": "pass-through", "services": {"compute": there.url}}})
    try:
        until(lambda: ask(one.url("compute"), "/v2.1/servers", SCOPE).status == 200 and bool(one.proxy.ways), 60)
        assert one.proxy.peers
    finally:
        one.stop()
        there.close()
