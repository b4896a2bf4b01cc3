"""The server as systemd's unit starts it: it says when it listens and when it stops, and keeps to the folders that it is given."""

import configparser
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import grpc
import pytest
import yaml
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.gateway.test_notify import Systemd
from tests.oaktree.world import Simulated
from tests.ports import free_port

from oaktree.v1 import compute_pb2, compute_pb2_grpc

UNIT = Path(__file__).parents[2] / "deploy/systemd/openstackoid-oaktree.service"


@pytest.mark.parametrize("workers", [1, 2])
def test_the_unit_starts_it(tmp_path: Path, clouds: Simulated, workers: int) -> None:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(UNIT.read_text())
    service = unit["Service"]
    assert (service["Type"], service["RuntimeDirectory"], service["StateDirectory"]) == ("notify", "oaktree", "oaktree")
    run, state = tmp_path / "run/oaktree", tmp_path / "lib/oaktree"
    for each in (run, state):
        each.mkdir(parents=True, mode=int(service["StateDirectoryMode"], 8))
    there = {"/run/oaktree": str(run), "/var/lib": str(state.parent)}
    environment = {name: there[value] for name, _, value in (each.partition("=") for each in shlex.split(service["Environment"]))}  # fmt: skip
    config = tmp_path / "oaktree.yaml"
    settings = {"workers": workers, **({"listen": [f"127.0.0.1:{free_port()}"]} if workers > 1 else {})}
    config.write_text(yaml.safe_dump({"clouds": str(clouds.clouds_yaml(tmp_path / "clouds.yaml", ("one",))), **settings}))  # fmt: skip
    program, *words = shlex.split(service["ExecStart"].replace("/etc/openstackoid/oaktree.yaml", str(config)))
    assert program == "/opt/openstackoid/bin/openstackoid"
    systemd = Systemd(str(tmp_path / "notify"))
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    process = subprocess.Popen(
        [sys.executable, "-m", "openstackoid", *words], env={**kept, **environment, **systemd.environment}
    )
    try:
        assert systemd.told(process) == {"READY": "1"}
        address = f"unix:{run / 'oaktree.sock'}" if workers == 1 else str(settings["listen"][0])  # type: ignore[index]
        with grpc.insecure_channel(address) as channel:
            health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=30)
            assert health.status == health_pb2.HealthCheckResponse.SERVING
            servers = list(compute_pb2_grpc.ComputeServiceStub(channel).ListServers(compute_pb2.ListServersRequest(), timeout=30))  # fmt: skip
            assert not servers[-1].summary.results[0].HasField("error")
        assert (state / "operations.sqlite").exists()
        process.send_signal(signal.SIGTERM)
        assert systemd.told(process) == {"STOPPING": "1"}
        assert process.wait(float(service["TimeoutStopSec"])) == 0
        assert systemd.silent()
    finally:
        process.kill()
        process.wait()
        systemd.close()
