"""Whom HAProxy is taught at the door of other clouds, and whom never."""

import uuid
from typing import Any

import pytest
from tests.gateway.wire import until
from tests.haproxy.doorway import IMAGES, Door, never, rule

from openstackoid.gateway.fastpath.image_tokens import ImageTokens
from openstackoid.gateway.settings.config import Config
from openstackoid.haproxy.admin import Admin, AdminError
from openstackoid.haproxy.plan import ADMIN, VISITORS
from openstackoid.haproxy.render import render
from openstackoid.operators.haproxy_plan import plan_of
from openstackoid.trust.claims import Named
from openstackoid.trust.grants import Grant


@pytest.mark.parametrize(
    ("grant", "statuses"),
    [
        ({"services": ("image",), "rate": 100_000}, {200}),
        (rule("/v2/images/6b8e1f0a-3c5d-4e2f-9a7b-0123456789ab/file"), {403}),
        (rule("/v2/images/6*/file"), {200, 403}),
        (rule("/v2/images/*-*/file"), {200}),
        (rule("/v2/images/*"), {403}),
        (rule("/v2/images/**", "PUT"), {403}),
        (rule("/v2/images/**", service="compute"), {403}),
        ({"services": ("image",), "roles": {"operator": "member"}}, {403}),
    ],
)
def test_agreements_that_do_not_let_in_every_request_are_not_taught(
    at: Door, grant: dict[str, Any], statuses: set[int]
) -> None:
    try:
        at.agree(Grant(**grant))
        never(at, at.token(), statuses)
    finally:
        at.agree(IMAGES)


@pytest.mark.parametrize("path", ["/v2/**", "/v2/images/*/file", "/v2/images/{image_id}/file", "/**"])
def test_rules_that_name_every_image_are_enough(at: Door, path: str) -> None:
    try:
        at.store.change("CloudOne", "allow", "operator", Grant(**rule(path)))
        token = at.token()
        until(lambda: at.get(token, "/v2/images/x/file").status == 200)
        at.learn(token, "/v2/images/x/file")
        at.straight(token)
    finally:
        at.agree(IMAGES)


@pytest.mark.parametrize(
    "changed",
    [
        {"actor": "CloudThree"},
        {"project": Named(str(uuid.uuid4()), "demo", "default", "Default")},
        {"user": Named(str(uuid.uuid4()), "alice", "default", "Default")},
    ],
)
def test_tokens_that_are_not_plain_are_not_taught(at: Door, changed: dict[str, Any]) -> None:
    never(at, at.token(**changed), {200})


@pytest.mark.parametrize("user", ['a","status":200,"user":"b', "a:b", "a b;c"])
def test_ids_that_could_be_lines_are_not_taught(at: Door, user: str) -> None:
    never(at, at.token(user=Named(user, "alice", "default", "Default")), {401})


def test_what_comes_by_a_third_cloud_is_not_taught(at: Door) -> None:
    for hops in ("CloudOne,CloudThree", "CloudThree", None):
        never(at, at.token(), {200}, {"X-Openstackoid-Hops": hops})


def test_users_without_a_role_are_not_taught(at: Door) -> None:
    never(at, at.token(roles=("nothing",)), {403})


async def test_a_haproxy_that_knows_no_such_map_is_taught_nothing(at: Door) -> None:
    """It has read an older configuration, or has no image service behind its door."""
    admin = Admin(at.two.short / ADMIN)
    known = ImageTokens(admin, at.two.short / "elsewhere")
    await known.clear()
    assert not known._there
    assert await admin.cleared(at.two.short / VISITORS)
    with pytest.raises(AdminError):
        await admin.clear(at.two.short / "elsewhere")


@pytest.mark.parametrize(
    ("service", "url", "found"),
    [
        ({}, "https://two.example:8443", ("/image", "")),
        ({"frontend": "http://127.0.0.1:80/image"}, "https://two.example:8443/door", ("/door/image", "")),
        ({"backend": "http://127.0.0.1:9292/image"}, "https://two.example", ("/image", "/image")),
        ({"backend": "http://127.0.0.1:9292/a'b"}, "https://two.example", None),
        ({}, "https://two.example/a'b", None),
    ],
)
def test_where_the_service_is(service: dict[str, str], url: str, found: tuple[str, str] | None) -> None:
    given = {"frontend": "http://127.0.0.1:9292", "backend": "http://127.0.0.2:9292"} | service
    document = {
        "cloud": "CloudTwo",
        "services": {"image": given},
        "peering": {"url": url, "listen": "127.0.0.1:8443"},
        "haproxy": {"gateway": "127.0.0.3"},
    }
    plan = plan_of(Config.model_validate(document), {"image": given["backend"]})
    images = plan.fronts[-1].images
    assert (images and (images.prefix, images.base)) == found
    text = render(plan)
    assert ("backend visitors" in text) is (str(plan.file(VISITORS)) in text) is (found is not None)
    if found:
        assert f"set-path {found[1]}%[path,bytes({len(found[0])})]" in text
        assert ("track service_image/image" in text.partition("backend visitors")[2]) is images.checked  # type: ignore[union-attr]
