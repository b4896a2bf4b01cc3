"""Lists servers, images and networks of several clouds with openstacksdk, and says which clouds did not answer.

    OS_CLOUD=one python examples/list_several.py '*' [SECONDS]

Exit code 3: some clouds are missing, as with the `openstack` command.
"""

import sys

import openstack

from openstackoid.client import several

PARTIAL = 3


def main(expression: str, seconds: float | None = None) -> int:
    """List everything that the clouds of a scope expression have."""
    scope = dict.fromkeys(("compute", "image", "network"), expression)
    with openstack.connect() as connection, several(connection, scope, timeout=seconds) as clouds:
        there = clouds.connection
        for kind, resources in (
            ("image", there.image.images),
            ("network", there.network.networks),
            ("server", there.compute.servers),
        ):
            for resource in resources():
                print(kind, resource.name, "in", " and ".join(clouds.of(resource)) or "the entry cloud")
        for cloud, code in clouds.missing.items():
            print(f"{cloud} is missing: {code}", file=sys.stderr)
        return PARTIAL if clouds.missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else None))  # noqa: PLR2004 - the program, and the expression
