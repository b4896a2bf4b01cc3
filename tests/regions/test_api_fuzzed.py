"""The API as its own document describes it, by schemathesis: whatever a request holds, no answer is a server's error or of another form."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance
from tests.regions.door import ADMIN
from tests.regions.planes import Plane, two_planes
from tests.volume import volume

_EXAMPLES: Final = volume(12)  # of each operation, valid and invalid ones


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Plane]:
    async with two_planes(tmp_path) as (provider, _):
        yield provider


async def test_every_operation_answers_as_its_document_says(plane: Plane) -> None:
    _, document = await plane.call("GET", "/v1/openapi.json")
    schema = schemathesis.openapi.from_dict(document)
    found: list[Any] = list(schema.get_all_operations())
    operations = [each.ok() for each in found]
    assert len(operations) == sum(len(methods) for methods in document["paths"].values())
    for operation in operations:
        await asyncio.to_thread(_fuzz, operation, GenerationMode.POSITIVE, plane.url)
        if operation.body or operation.query:  # nothing else can be invalid
            await asyncio.to_thread(_fuzz, operation, GenerationMode.NEGATIVE, plane.url)


def _fuzz(operation: Any, mode: GenerationMode, url: str) -> None:
    @settings(max_examples=_EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def answers(case: Any) -> None:
        case.call_and_validate(
            base_url=url,
            headers={"X-Auth-Token": ADMIN},
            checks=[not_a_server_error, response_schema_conformance, status_code_conformance],
        )

    answers()
