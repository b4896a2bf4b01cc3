"""A question of a peer which projects are gone, in pages: home lists its projects once for all pages, and takes no other question meanwhile."""

from types import SimpleNamespace
from typing import Any

import pytest

from openstackoid.core.errors import BackendUnreachableError, RateError
from openstackoid.gateway.federation.home_projects import HomeProjects

pytestmark = pytest.mark.asyncio
OTHER = "0" * 32


class Api:
    """Keystone, as the gateway's account sees it."""

    has_account = True

    def __init__(self) -> None:
        self.projects = [{"id": "living"}]
        self.lists = 0
        self.status = 200

    async def by_account(self, _method: str, path: str, **_more: Any) -> tuple[int, Any]:
        if path != "/v3/projects":
            return 404, {"error": {}}
        self.lists += 1
        return self.status, {"projects": self.projects}


def home(api: Api, interval: float = 3600) -> HomeProjects:
    agreement = SimpleNamespace(grant=SimpleNamespace(project_pseudonyms=False))
    agreements: Any = SimpleNamespace(active_agreement=lambda _peer: agreement, keys=None)
    return HomeProjects(api, agreements, interval)  # type: ignore[arg-type]


async def test_the_pages_of_one_question_are_one_question() -> None:
    api = Api()
    projects = home(api)
    assert await projects.gone("P", ["living", OTHER], "q1") == [OTHER]
    # What is made meanwhile is no matter of this question, whose ids were known before.
    api.projects = []
    for _ in range(3):
        assert await projects.gone("P", [OTHER, "living"], "q1") == [OTHER]
    assert api.lists == 1
    for question in ("q2", ""):
        with pytest.raises(RateError):
            await projects.gone("P", [OTHER], question)
    # Another peer has a question of its own, also under the same id.
    assert await projects.gone("Q", ["living"], "q1") == ["living"]
    assert api.lists == 2


async def test_pages_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openstackoid.gateway.federation.home_projects._MOST_PAGES", 3)
    projects = home(Api())
    for _ in range(3):
        assert await projects.gone("P", [OTHER], "q") == [OTHER]
    with pytest.raises(RateError, match="3 pages"):
        await projects.gone("P", [OTHER], "q")


async def test_a_question_without_an_id_has_one_page() -> None:
    projects = home(Api())
    assert await projects.gone("P", [OTHER]) == [OTHER]
    with pytest.raises(RateError):
        await projects.gone("P", [OTHER])


async def test_a_list_that_fails_answers_no_page() -> None:
    api = Api()
    api.status = 503
    projects = home(api)
    for _ in range(2):
        with pytest.raises(BackendUnreachableError):
            await projects.gone("P", ["living"], "q")
    assert api.lists == 1
