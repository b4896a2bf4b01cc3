"""A scope with operators may mean another cloud the next time: HAProxy is never taught what it means now."""

import json

import pytest
from tests.gateway.wire import TOKEN, ask
from tests.haproxy.test_learned import learn
from tests.haproxy.test_traps import fresh
from tests.haproxy.world import World


@pytest.mark.parametrize("expression", ["CloudThree&CloudThree", "CloudThree|CloudOne", "CloudOne & CloudThree"])
def test_what_operators_mean_is_never_taught(world: World, expression: str) -> None:
    given = {"X-Scope": json.dumps({"image": expression}, separators=(",", ":"))}
    for _ in range(3):
        path = fresh()
        ask(world.one.url("image"), path, given, token=TOKEN)
        assert world.one.passed(path)
    # What is taught after it stands there.
    learn(world, "CloudThree", TOKEN)
    assert not [key for key in (*world.one.proxy.ways, *world.one.proxy.tokens) if expression in key]
