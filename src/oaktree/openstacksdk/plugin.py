"""The authentication plugin `oaktree`, found by keystoneauth's entry points.

Each `openstack` command, of whatever cloud, loads all plugins of keystoneauth for their options: gRPC is imported where the plugin is used, not here.
"""

from functools import partial
from typing import TYPE_CHECKING

from keystoneauth1 import loading

if TYPE_CHECKING:
    from oaktree.openstacksdk.authentication import Plugin


class Loader(loading.BaseLoader["Plugin"]):
    """Makes the plugin from the options of an entry."""

    @property
    def plugin_class(self) -> "type[Plugin]":
        """The plugin."""
        from oaktree.openstacksdk.authentication import Plugin  # noqa: PLC0415 - a third of what a command's start takes

        return Plugin

    @property
    def available(self) -> bool:
        """Whether it can be used."""
        return True

    def get_options(self) -> list[loading.Opt]:
        """The options; see `authentication.Options`. The `openstack` command has each as its own option (`--os-oaktree-key`): names must not clash with others."""
        option = partial(loading.Opt, default=None)
        return [
            option("oaktree-target", help="host:port or unix:/path of the oaktree"),
            option("oaktree-authority", help="PEM file: authorities of the oaktree's certificate"),
            option("oaktree-certificate", help="PEM file: the caller's certificate"),
            option("oaktree-key", help="PEM file: its key"),
            option("oaktree-plaintext", type=bool, help="no TLS; only to this machine"),
            option("oaktree-cloud", help="the cloud that issued the token or application credential"),
            option("oaktree-token", secret=True, help="a Keystone token"),
            option("application-credential-id", help="the id of an application credential"),
            option("application-credential-secret", secret=True, help="its secret"),
            option("oaktree-failures", help="raise or warn, if a cloud did not answer a list"),
        ]
