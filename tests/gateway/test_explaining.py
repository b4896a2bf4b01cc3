"""`explain` under operators, and about what other clouds' services ask of home: it says beforehand what would be refused."""

from typing import Any

from tests.gateway.conftest import Owners
from tests.gateway.owners import ASSERTION
from tests.gateway.wire import ask, scope

from openstackoid.core import scope as scopes

EXPLAIN = "/openstackoid/v1/explain"
LEFT_AT_HOME = '{"*":"CloudOne","compute":"CloudTwo","identity":"CloudOne"}'


def explained(owners: Owners, service: str, path: str, **clouds: str) -> dict[str, Any]:
    answer = ask(owners.at_one.url("image"), f"{EXPLAIN}?service={service}&path={path}", scope(**clouds), token=None)
    assert answer.status == 200, answer.body
    document: dict[str, Any] = answer.json
    return document


def test_each_cloud_of_an_expression_says_what_its_agreement_refuses(owners: Owners) -> None:
    """Each was listed as if it would serve the request."""
    told = explained(owners, "network", "/v2.0/ports", network="CloudOne & CloudTwo | CloudThree")
    assert (told["decision"], told["cloud"]) == ("alternatives", "CloudOne & CloudTwo | CloudThree")
    (here, two), (three,) = told["plan"]
    assert (here["decision"], here["error"]) == ("local", None)
    for refused in (two, three):
        assert (refused["decision"], refused["url"]) == ("reject", None)
        assert refused["error"]["openstackoid_code"] == "agreement.rule"
    assert told["error"] is None
    assert [reason.partition(" offers")[0] for reason in told["why"][1:]] == [
        "CloudTwo would refuse: agreement.rule: CloudTwo",
        "CloudThree would refuse: agreement.rule: CloudThree",
    ]
    good = explained(owners, "image", "/v2/images", image="*")
    assert {target["cloud"]: target["decision"] for target in good["plan"][0]} == {
        "CloudBare": "remote",
        "CloudHidden": "remote",
        "CloudOne": "local",
        "CloudThree": "remote",
        "CloudTwo": "remote",
    }
    assert len(good["why"]) == 1


def test_if_all_clouds_refuse_the_request_is_refused(owners: Owners) -> None:
    both = explained(owners, "network", "/v2.0/ports", network="CloudTwo & CloudThree")
    assert (both["decision"], both["error"]["openstackoid_code"]) == ("reject", "scope.incomplete")
    assert len(both["why"]) == 3
    # An expression that means one cloud has that cloud's own error.
    one = explained(owners, "network", "/v2.0/ports", network="CloudTwo | CloudTwo")
    assert (one["decision"], one["error"]["openstackoid_code"]) == ("reject", "agreement.rule")


def test_servers_elsewhere_need_their_network_from_there(owners: Owners) -> None:
    """CloudThree offers compute: its nova asks home for ports as soon as it has a server to show. It offers no network."""
    told = explained(owners, "compute", "/v2.1/servers/detail", compute="CloudThree")
    assert (told["decision"], told["error"]) == ("remote", None)
    warning = told["why"][-1]
    assert warning.startswith("warning: the scope leaves network in CloudOne.")
    assert "asks CloudOne's network service (GET /v2.0/ports), which no home rule" in warning
    assert "CloudThree offers no network to users of CloudOne either" in warning
    several = explained(owners, "compute", "/v2.1/servers/detail", compute="CloudOne & CloudThree", network="CloudOne")
    assert [reason for reason in several["why"] if reason.startswith("CloudThree: warning: ")]
    followed = explained(owners, "compute", "/v2.1/servers/detail", compute="CloudOne & CloudThree")
    elsewhere = explained(owners, "compute", "/v2.1/servers/detail", compute="CloudThree", network="CloudThree")
    for quiet in (followed, elsewhere):
        assert not [reason for reason in quiet["why"] if "warning" in reason]


def test_the_refusal_says_who_asked_whom_and_which_scope_to_use(owners: Owners) -> None:
    """Nova passes it on to the user."""
    own = owners.one.keystone.issue("alice", "member")
    token = owners.one.token(owners.two, own=own, scope=scopes.parse(LEFT_AT_HOME))
    for service, path, remedy in (
        ("image", "/v2/tasks", """Take image from CloudTwo as well: --os-scope '{"compute":"CloudTwo","image":"CloudTwo"}'."""),
        ("network", "/v2.0/ports", "CloudTwo offers no network to users of CloudOne either"),
    ):  # fmt: skip
        theirs = {ASSERTION: owners.two.assertion("CloudOne")[ASSERTION]}
        answer = ask(owners.one.peering, f"/{service}{path}", theirs, token=token)
        assert (answer.status, answer.code) == (403, "agreement.rule")
        assert (
            f"A service of CloudTwo asks CloudOne's {service} service (GET {path}) on behalf of a user" in answer.error
        )
        assert remedy in answer.error
