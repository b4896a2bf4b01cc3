"""One resource among several clouds: where it is, and what is refused."""

import pytest
from tests.gateway.several import ALL, COPY, IMAGE, Three, places
from tests.gateway.wire import ask, reply, scope


def test_a_thing_is_found_where_it_is_and_that_is_remembered(three: Three) -> None:
    path = f"/v2/images/{IMAGE.format(2)}"
    for _ in range(3):
        answer = ask(three.gateway.url("image"), path, scope(image=ALL))
        assert (answer.status, answer.json["name"], answer.get("X-Scope-Cloud")) == (200, "CloudThree", "CloudThree")
    assert three.asked("image", path).count("CloudThree") == 3
    assert three.asked("image", path).count("CloudTwo") == 1


def test_what_several_have_is_refused_with_the_places(three: Three) -> None:
    answer = ask(three.gateway.url("image"), f"/v2/images/{COPY}", scope(image=ALL))
    assert (answer.status, answer.code) == (409, "scope.ambiguous")
    assert "CloudTwo, CloudThree" in answer.error or "CloudThree, CloudTwo" in answer.error


def test_what_nobody_has_is_404_only_if_all_say_so(three: Three) -> None:
    base = three.gateway.url("image")
    assert ask(base, f"/v2/images/{IMAGE.format(99)}", scope(image=ALL)).json == {"message": "no such image"}
    answer = ask(base, f"/v2/images/{IMAGE.format(99)}", scope(image=f"{ALL} & Dead"))
    assert (answer.status, answer.code) == (502, "scope.incomplete")
    # A name may be anybody's: clients go on and look through the list.
    answer = ask(base, "/v2/images/some-name", scope(image=f"{ALL} & Dead"))
    assert (answer.status, answer.get("X-Scope-Missing")) == (404, "Dead;code=peer.unreachable")


@pytest.mark.parametrize("expression", [ALL, "Dead | CloudOne | CloudTwo | CloudThree"])
def test_image_data_comes_from_where_it_is(three: Three, expression: str) -> None:
    answer = ask(three.gateway.url("image"), f"/v2/images/{IMAGE.format(1)}/file", scope(image=expression))
    assert (answer.status, answer.body) == (200, b"CloudTwo" * 20000)
    assert answer.get("X-Scope-Cloud") == "CloudTwo"  # also of an answer that is streamed


def test_a_change_says_which_cloud_made_it(three: Three) -> None:
    path, given = f"/v2/images/{IMAGE.format(1)}", scope(image="CloudOne | CloudTwo")
    answer = ask(three.gateway.url("image"), path, given, method="PATCH", body=b"[]")
    assert (answer.status, answer.get("X-Scope-Cloud")) == (200, "CloudTwo")
    assert three.clouds["CloudTwo"]["image"].seen(path).method == "PATCH"
    # An error, and a scope that names one cloud, are as the service wrote them.
    answer = ask(three.gateway.url("image"), f"/v2/images/{IMAGE.format(99)}", given, method="PATCH", body=b"[]")
    assert (answer.status, answer.get("X-Scope-Cloud")) == (404, None)
    assert ask(three.gateway.url("image"), path, scope(image="CloudTwo")).get("X-Scope-Cloud") is None


@pytest.mark.parametrize("expression", ["Dead | CloudTwo", "CloudTwo | Dead", "Dead & Dead | CloudTwo | CloudThree"])
def test_the_first_that_answers(three: Three, expression: str) -> None:
    answer = ask(three.gateway.url("compute"), "/v2.1/servers/detail?limit=50", scope(compute=expression))
    assert {cloud for cloud, _ in places("servers", answer)} == {"CloudTwo"}
    missing = "Dead;code=peer.unreachable" if expression.startswith("Dead") else None
    assert answer.get("X-Scope-Missing") == missing


def test_the_first_that_has_it(three: Three) -> None:
    path = f"/v2/images/{IMAGE.format(1)}"
    answer = ask(three.gateway.url("image"), path, scope(image="CloudOne | CloudTwo | CloudThree"))
    assert (answer.status, answer.get("X-Scope-Cloud")) == (200, "CloudTwo")
    answer = ask(three.gateway.url("image"), f"/v2/images/{COPY}", scope(image="CloudOne | CloudThree | CloudTwo"))
    assert (answer.status, answer.get("X-Scope-Cloud")) == (200, "CloudThree")
    # By its name clients look for it in the list.
    only = {**three.lists["images", "CloudTwo"].items[0], "id": "only", "name": "only-two"}
    three.lists["images", "CloudTwo"].items.append(only)
    try:
        answer = ask(three.gateway.url("image"), "/v2/images?name=only-two", scope(image="CloudOne | CloudTwo"))
        assert places("images", answer) == [("CloudTwo", "only")]
    finally:
        three.lists["images", "CloudTwo"].items.remove(only)
    answer = ask(three.gateway.url("image"), "/v2/images?name=nobody", scope(image="CloudOne | CloudTwo"))
    assert (answer.status, answer.json["images"]) == (200, [])


@pytest.mark.parametrize("path", ["/v2/images", "/v2/tasks"])
@pytest.mark.parametrize("expression", [ALL, "*"])
def test_a_create_without_a_database_for_operations_is_refused_and_sent_to_nobody(
    three: Three, path: str, expression: str
) -> None:
    before = {name: len(cloud["image"].requests) for name, cloud in three.clouds.items()}
    answer = ask(three.gateway.url("image"), path, scope(image=expression), method="POST", body=b"{}")
    assert (answer.status, answer.code) == (501, "scope.operators")
    assert path != "/v2/images" or "operations.database" in answer.error
    assert {name: len(cloud["image"].requests) for name, cloud in three.clouds.items()} == before


@pytest.mark.parametrize("expression", [ALL, "*"])
def test_a_change_of_what_several_clouds_have_is_refused(three: Three, expression: str) -> None:
    answer = ask(three.gateway.url("image"), f"/v2/images/{COPY}", scope(image=expression), method="DELETE")
    assert (answer.status, answer.code) == (409, "scope.ambiguous")
    methods = {seen.method for cloud in three.clouds.values() for seen in cloud["image"].requests}
    assert "DELETE" not in methods


def test_what_is_neither_a_list_nor_one_thing_is_refused(three: Three) -> None:
    answer = ask(three.gateway.url("compute"), "/v2.1/os-instance_usage_audit_log", scope(compute=ALL))
    assert (answer.status, answer.code) == (501, "scope.operators")
    assert "/v2.1/os-instance_usage_audit_log" in answer.error


def test_headers_of_several_do_not_come_from_one_cloud(three: Three) -> None:
    three.clouds["CloudTwo"]["network"].on(
        "/v2.0/forged", reply(200, {}, {"X-Scope-Missing": "CloudOne;code=x", "X-Scope-Items": "A;0"})
    )
    answer = ask(three.gateway.url("network"), "/v2.0/forged", scope(network="CloudTwo"))
    assert (answer.get("X-Scope-Missing"), answer.get("X-Scope-Items")) == (None, None)


def test_clouds_are_counted(three: Three) -> None:
    text = ask(three.gateway.admin, "/metrics", token=None).body.decode()
    assert 'openstackoid_legs_total{cloud="CloudTwo",result="2xx",service="image"}' in text
    assert 'openstackoid_legs_total{cloud="Dead",result="peer.unreachable",service="image"}' in text
