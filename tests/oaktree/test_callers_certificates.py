"""Who calls with a certificate: what it opens, and which do not count."""

from pathlib import Path
from typing import Any

import grpc
import pytest
from tests.haproxy.world import Authority
from tests.oaktree.failures import refused
from tests.oaktree.keystone import clouds_yaml
from tests.oaktree.people import OTHER, Cloud, token
from tests.oaktree.serving import oaktree

from oaktree.v1 import cloud_pb2, compute_pb2
from oaktree.v1.location_pb2 import Location

pytestmark = pytest.mark.filterwarnings("ignore::openstack.warnings.RemovedInSDK50Warning")


class Certificates:
    """A server's certificate, and callers'."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        self.server = self.authority.pair("localhost", "127.0.0.1")

    def channel(self, pair: dict[str, str] | None) -> grpc.ChannelCredentials:
        root = self.authority.file.read_bytes()
        if pair is None:
            return grpc.ssl_channel_credentials(root)
        return grpc.ssl_channel_credentials(
            root, Path(pair["key"]).read_bytes(), Path(pair["certificate"]).read_bytes()
        )

    def settings(self, **more: Any) -> dict[str, Any]:
        return {
            "listen": ["127.0.0.1:0"],
            "tls": {**self.server, "client_ca": str(self.authority.file)},
            "callers": {"certificates": [{"name": "ops", "san": "ops.example", "policy": "readers"}]},
            "policies": {"readers": {"locations": [{"cloud": "CloudOne"}]}},
            **more,
        }


async def test_a_certificate_acts_under_its_policy(tmp_path: Path, homes: dict[str, Cloud]) -> None:
    made = Certificates(tmp_path)
    yaml = clouds_yaml(tmp_path, homes)
    ops = made.channel(made.authority.pair("ops.example"))
    async with oaktree(yaml, made.settings(), ops) as server:
        found, summary = await server.servers()
        assert {cloud for cloud, _ in found} == {"CloudOne"}
        assert [each.location.cloud for each in summary.results] == ["CloudOne"]
        for call, what in (
            (server.servers(locations=[{"cloud": "CloudTwo"}]), "CloudTwo"),
            (server.servers(locations=[{"cloud": "CloudOne", "project": "admin"}]), "project"),
            (server.compute.DeleteServer(compute_pb2.DeleteServerRequest(id="x")), "delete"),
            (
                server.clouds.GetRestInfo(
                    cloud_pb2.GetRestInfoRequest(location=Location(cloud="CloudOne"), service="compute")
                ),
                "rest",
            ),
        ):
            code, message, info = await refused(call)
            assert code is grpc.StatusCode.PERMISSION_DENIED
            assert (info.reason, what in message) == ("POLICY_FORBIDDEN", True)


async def test_certificates_that_nobody_knows(tmp_path: Path, homes: dict[str, Cloud]) -> None:
    made = Certificates(tmp_path)
    yaml = clouds_yaml(tmp_path, homes)
    async with oaktree(yaml, made.settings(), made.channel(made.authority.pair("eve.example"))) as server:
        code, message, _ = await refused(server.names())
        assert (code, "callers.certificates" in message) == (grpc.StatusCode.UNAUTHENTICATED, True)
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other").pair("ops.example")
    for pair in (stranger, None):
        async with oaktree(yaml, made.settings(), made.channel(pair)) as server:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await server.names()
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE  # TLS itself ends it


async def test_with_a_certificate_and_a_token_the_token_says_who(tmp_path: Path, homes: dict[str, Cloud]) -> None:
    made = Certificates(tmp_path)
    callers = {**made.settings()["callers"], "tokens": True}
    ops = made.channel(made.authority.pair("ops.example"))
    async with oaktree(clouds_yaml(tmp_path, homes), made.settings(callers=callers), ops) as server:
        bob = [token("CloudTwo", homes["CloudTwo"].token("bob", OTHER))]
        assert (await server.servers(bob))[0] == {("CloudTwo", "bob-CloudTwo")}
        assert {cloud for cloud, _ in (await server.servers())[0]} == {"CloudOne"}


async def test_a_common_name_counts_only_without_other_names(tmp_path: Path, homes: dict[str, Cloud]) -> None:
    made = Certificates(tmp_path)
    callers = {"certificates": [{"name": "ops", "common_name": "ops.example", "policy": "readers"}]}
    ops = made.channel(made.authority.pair("ops.example"))  # has it as a DNS name as well
    async with oaktree(clouds_yaml(tmp_path, homes), made.settings(callers=callers), ops) as server:
        code, _, _ = await refused(server.names())
        assert code is grpc.StatusCode.UNAUTHENTICATED


async def test_a_renewed_certificate_is_used_without_a_restart(tmp_path: Path, homes: dict[str, Cloud]) -> None:
    made = Certificates(tmp_path)
    ops = made.authority.pair("ops.example")
    async with oaktree(clouds_yaml(tmp_path, homes), made.settings(), made.channel(ops)) as server:
        assert await server.names() == ["CloudOne"]
        (tmp_path / "new").mkdir()
        authority = Authority(tmp_path / "new")
        fresh = authority.pair("localhost", "127.0.0.1")
        for name in ("certificate", "key"):
            Path(made.server[name]).write_bytes(Path(fresh[name]).read_bytes())
        root = authority.file.read_bytes()
        pair = (Path(ops["key"]).read_bytes(), Path(ops["certificate"]).read_bytes())
        async with grpc.aio.secure_channel(server.addresses[0], grpc.ssl_channel_credentials(root, *pair)) as channel:
            server.channel = channel
            assert await server.names() == ["CloudOne"]
