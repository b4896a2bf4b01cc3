"""Packages' migrations: what is read without Alembic is what Alembic says."""

import subprocess
import sys

import pytest
from alembic.script import ScriptDirectory

from openstackoid.gateway.replicas import tables as replicas
from openstackoid.oaktree.creates import tables as creates
from openstackoid.regions import tables as regions
from openstackoid.storage import migrations
from openstackoid.storage.migrations import Migrations
from openstackoid.trust import tables as trust


@pytest.mark.parametrize(
    "steps", [each.MIGRATIONS for each in (trust, replicas, creates, regions)], ids=lambda each: each.version_table
)
def test_the_head_is_the_last_step(steps: Migrations) -> None:
    (environment,) = migrations.__path__
    assert ScriptDirectory(environment, version_locations=[str(steps.versions)]).get_heads() == [steps.head]


def test_a_gateway_starts_without_alembic_and_redis() -> None:
    program = "import sys, openstackoid.gateway.cli, openstackoid.gateway.serve; print({'alembic', 'redis'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "set()\n"
