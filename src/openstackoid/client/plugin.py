"""The plugin of the `openstack` client: `--os-scope`, and the commands that ask a gateway.

The stock client loads this module through the entry point group `openstack.cli.extension`
(`openstackclient/common/clientmanager.py`, get_plugin_modules) and uses the names below. The way of a scope from here to
the wire, all of it by the client's own means:

1. `build_option_parser` adds the option, and the key `vendor_hook`, to the client's namespace;
2. openstacksdk merges the namespace over clouds.yaml (`openstack/config/loader.py`, get_one);
3. before its first request the client makes a Connection of that (`osc_lib/clientmanager.py`, setup_auth), on the session that
   all of its parts and plugins use;
4. the Connection calls the vendor hook, which puts the scope on the session: `openstackoid.client.connection`.

A malformed scope is refused in step 4: nothing has been sent, and commands that send nothing, such as help, go on working.
A test sends real commands to a server that looks at the header of every request, so a release that changes a step shows.
"""

import os
from typing import TYPE_CHECKING, Any, Final

from openstackoid.client import settings
from openstackoid.client.connection import HOOK

if TYPE_CHECKING:
    import argparse

    from openstackoid.client.gateway import Gateway

API_NAME: Final = "scope"
# Not `os_scope_api_version`: its variable would look like the scope of a service.
API_VERSION_OPTION: Final = "os_openstackoid_api_version"
DEFAULT_API_VERSION: Final = "1"
API_VERSIONS: Final = ("1",)


def make_client(instance: Any) -> "Gateway":
    """What commands find as `client_manager.scope`: the gateway that auth_url leads to."""
    from openstackoid.client.gateway import Gateway  # noqa: PLC0415 - for our own commands only

    return Gateway.of(instance)


def build_option_parser(parser: "argparse.ArgumentParser") -> "argparse.ArgumentParser":
    """Add `--os-scope` to the client's global options."""
    parser.add_argument(
        settings.OPTION,
        metavar="<scope>",
        dest=settings.KEY,
        type=settings.from_option,
        action=settings.Append,
        default=settings.from_environment(),
        help=(
            "Which cloud serves which service: JSON, or service=cloud[,service=cloud...], such as image=CloudTwo; "
            "services that are not named are served by the cloud of --os-auth-url. May be given several times, for several services "
            "(Env: OS_SCOPE, OS_SCOPE_<SERVICE>)"
        ),
    )
    parser.add_argument(
        "--os-scope-require",
        metavar="<all|any|number>",
        dest=settings.REQUIRE_KEY,
        default=os.environ.get("OS_SCOPE_REQUIRE") or None,
        help="How many of the clouds that the scope means must answer, or the command fails (default: any; Env: OS_SCOPE_REQUIRE)",
    )
    parser.add_argument(
        "--os-scope-timeout",
        metavar="<seconds>",
        dest=settings.TIMEOUT_KEY,
        default=os.environ.get("OS_SCOPE_DEADLINE") or None,
        help="Seconds after which a cloud that has not answered is left out of the answer of several (Env: OS_SCOPE_DEADLINE)",
    )
    parser.add_argument(
        "--os-scope-on-failure",
        metavar="<undo|keep|converge>",
        dest=settings.FAILURE_KEY,
        default=os.environ.get("OS_SCOPE_ON_FAILURE") or None,
        help=(
            "What happens to a create in several clouds if one fails: undo it everywhere, keep what worked, or create the rest when the cloud "
            "is back (default: undo; Env: OS_SCOPE_ON_FAILURE)"
        ),
    )
    parser.add_argument(
        "--os-scope-match",
        metavar="<name|id>",
        dest=settings.MATCH_KEY,
        default=os.environ.get("OS_SCOPE_MATCH") or None,
        help=(
            "Whether images, flavors, networks and key pairs of the same name in each cloud stand for each other in creates in several "
            "clouds (default: name; Env: OS_SCOPE_MATCH)"
        ),
    )
    parser.set_defaults(vendor_hook=HOOK)
    return parser
