"""The commands of `openstackoid oaktree call`: what each is for, its options, and the function that does the work, imported when it runs.

They are commands of the program as all others (`openstackoid.commands`), but print by themselves: a list prints each resource as it comes, a
column is any JMESPath, and `-f jsonl` and `-f curl` are formats of theirs alone.
"""

import argparse
import importlib
from pathlib import Path
from typing import ClassVar, Final

from openstackoid.commands.base import Command
from openstackoid.oaktree.call import options

_FORMATS: Final = ("table", "json", "jsonl", "yaml")
# For resources, also the columns of -c: separated by spaces, or as CSV.
_VALUES: Final = (*_FORMATS, "value", "csv")


class Call(Command):
    """A command that calls an oaktree.

    Attributes:
        work: `module:function` of this package.
        formats: of its output, the usual one first; empty if it prints nothing.
    """

    work: ClassVar[str]
    formats: ClassVar[tuple[str, ...]] = _FORMATS

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """With the formats, and the oaktree to call."""
        parser = super().get_parser(prog_name)
        if self.formats:
            parser.add_argument(
                "-f", "--format", choices=self.formats, default=self.formats[0], help="(default: %(default)s)"
            )
        options.oaktree(parser)
        self.add_options(parser)
        return parser

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Add options and arguments of its own."""

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Call it."""
        package = "openstackoid.oaktree.call"
        module, _, name = self.work.partition(":")
        function = getattr(importlib.import_module(f"{package}.{module}"), name)
        return int(importlib.import_module(f"{package}.run").run(function, parsed_args))


class ListResources(Call):
    """List resources."""

    summary = "list resources of all clouds"
    work = "reading:list_"
    formats = _VALUES
    examples = """\
List every resource of a kind, of all clouds or some.

  openstackoid oaktree call list servers
  openstackoid oaktree call list servers --filter status=ERROR -c id -c 'why=fault.message' -c location
  openstackoid oaktree call list images --filter visibility=public --query 'size > `1000000`' --sort 'size desc, name'
  openstackoid oaktree call list servers -f jsonl                prints each as it comes, and so does value;
  openstackoid oaktree call list servers -c id -f value          all other formats wait for the last cloud

--filter compares an attribute, in the cloud where its API can. --query is JMESPath over each resource; 'call kinds KIND' names the attributes.
Clouds that did not answer are told on standard error, and by the exit code 3.
"""

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Its options."""
        options.kind(parser)
        options.locations(parser, "where to look")
        options.parent(parser)
        parser.add_argument(
            "--filter", action="append", metavar="NAME=VALUE", help="only where it equals; can be repeated"
        )
        parser.add_argument("--query", metavar="JMESPATH", help="only where it is true")
        parser.add_argument("--sort", metavar="FIELDS", help='over all clouds: "name", "created_at desc, name"')
        parser.add_argument(
            "--page-size",
            type=options.count,
            default=0,
            metavar="N",
            help="at most N of each cloud-region (sorted: of all)",
        )
        parser.add_argument("--page-token", metavar="TOKEN", help="go on where the page before ended")
        parser.add_argument("--refresh", action="store_true", help="ask the clouds, whatever is remembered")
        parser.add_argument("--max-age", type=options.seconds, metavar="SECONDS", help="the oldest answer that will do")
        options.columns(parser)


class GetResource(Call):
    """Show a resource."""

    summary = "show one resource, wherever it is"
    work = "reading:get"
    formats = _VALUES

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Its options."""
        options.one(parser)
        options.columns(parser)


class CreateResource(Call):
    """Create resources."""

    summary = "create in many clouds at once"
    work = "creating:create"
    examples = """\
Create a resource in each location; in every cloud, if none is given.

  openstackoid oaktree call create network --set name=web --location CloudOne --location CloudTwo --undo
  openstackoid oaktree call create server --location CloudOne --from server.json --wait
  openstackoid oaktree call create server --set name=vm --set image=cirros --set flavor=m1.tiny --set network=private --set auto_ip:=true --wait
  openstackoid oaktree call get network web -c name -c mtu -f json | openstackoid oaktree call create network --from - --location CloudTwo

NAME=VALUE is text, NAME:=JSON anything else. Secrets belong in --from, not on the command line, where every user of the machine can read them.
The same request with the same --idempotency-key creates nothing twice.
"""

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Its options."""
        options.kind(parser)
        options.locations(parser, "where")
        options.attributes(parser)
        options.creating(parser)


class UpdateResource(Call):
    """Change a resource."""

    summary = "change a resource"
    work = "reading:update"
    examples = """\
Change a resource.

  openstackoid oaktree call update server vm --set name=web
  openstackoid oaktree call update network web --location CloudTwo --set is_admin_state_up:=false
"""

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Its options."""
        options.one(parser)
        options.attributes(parser)
        options.columns(parser)


class DeleteResource(Call):
    """Delete a resource."""

    summary = "delete a resource"
    work = "reading:delete"
    formats = ()

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Its options."""
        options.one(parser)
        parser.add_argument("--allow-missing", action="store_true", help="one that is not there is no error")


class UploadImage(Call):
    """Upload an image."""

    summary = "upload an image into many clouds at once"
    work = "creating:upload"
    examples = """\
Upload an image into each location; in every cloud, if none is given. It is sent to the oaktree once; a cloud that wants another format gets that.

  openstackoid oaktree call upload cirros.img --name cirros --disk-format qcow2 --location CloudOne --location CloudTwo
"""

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Its options."""
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument("--name", required=True, metavar="NAME")
        parser.add_argument(
            "--disk-format", required=True, metavar="FORMAT", help="of the file: qcow2, raw, vmdk, vhd, ..."
        )
        parser.add_argument("--set", action="append", metavar="NAME=VALUE", help="other attributes; or NAME:=JSON")
        options.locations(parser, "where")
        options.creating(parser)


class WatchResources(Call):
    """Watch resources."""

    summary = "show changes as they happen"
    work = "watching:watch"
    formats = ("table", "jsonl")
    examples = """\
Show what a resource is and what becomes of it, or all of a kind, without asking again and again.

  openstackoid oaktree call watch server vm --until status=ACTIVE && echo ready
  openstackoid oaktree call watch server vm --until gone
  openstackoid oaktree call watch volume data --until-query 'length(attachments) > `0`'
  openstackoid oaktree call watch servers -f jsonl
"""

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Its options."""
        options.kind(parser)
        parser.add_argument(
            "id", nargs="?", metavar="ID", help="or a name that is unique; all of the kind if not given"
        )
        options.location(parser)
        options.parent(parser)
        until = parser.add_mutually_exclusive_group()
        until.add_argument("--until", metavar="status=STATUS|gone", help="end when it has this status, or is gone")
        until.add_argument("--until-query", metavar="JMESPATH", help="end when it is true of the resource")
        options.columns(parser)


class ListClouds(Call):
    """List clouds."""

    summary = "list the cloud-regions, and how they are"
    work = "places:clouds"

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Its options."""
        options.locations(parser, "only these")


class ListKinds(Call):
    """List kinds."""

    summary = "list the kinds of resources; of one, its attributes"
    work = "places:kinds"

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Its options."""
        parser.add_argument("kind", nargs="?", metavar="KIND|SERVICE", help="only this one, or those of this service")


class ShowRest(Call):
    """Show a cloud's own API."""

    summary = "tell where a cloud's own API is, with a token"
    work = "places:rest"
    formats = ("table", "json", "yaml", "curl")
    examples = """\
Where a cloud's own API is, with a token for it: for what this API lacks.

  openstackoid oaktree call rest CloudOne compute
  openstackoid oaktree call rest CloudOne compute os-hypervisors -f curl | curl -sK -

In a table the token is not shown. -f curl is what 'curl -K' reads: so the token is in no list of processes.
"""

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Its options."""
        parser.add_argument("location", metavar="LOCATION", help="CLOUD, or CLOUD/REGION")
        parser.add_argument("service", metavar="SERVICE", help="as compute, or block-storage")
        parser.add_argument("path", nargs="?", metavar="PATH", help="of the API, to be part of the URL")


class BuildGroup(Call):
    """Create a group."""

    summary = "create a group in many clouds at once"
    work = "grouping:build"
    examples = """\
Create resources of several kinds that refer to each other, in each location; in every cloud, if none is given. FILE is YAML or JSON:

  net: {kind: network, attributes: {name: mine}}
  web: {kind: server, count: 4, attributes: {name: "web-${index}", image: cirros, flavor: small, network: "${net.id}"}}

  openstackoid oaktree call group build group.yaml --undo
  openstackoid oaktree call group build - --location CloudOne < group.yaml

The same group with the same --idempotency-key creates nothing twice.
"""

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Its options."""
        parser.add_argument("file", metavar="FILE", help="the members; - is standard input")
        options.locations(parser, "where")
        parser.add_argument(
            "--undo", action="store_true", help="delete all of it again if any of it fails in any cloud"
        )
        options.key(parser)


class ListOperations(Call):
    """List operations."""

    summary = "list your operations, the newest first"
    work = "operations:list_"

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Its options."""
        parser.add_argument("--page-size", type=options.count, default=0, metavar="N", help="(default: 100)")
        parser.add_argument("--page-token", metavar="TOKEN", help="go on where the page before ended")


class ShowOperation(Call):
    """Show an operation."""

    summary = "show one"
    work = "operations:show"

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Which one."""
        parser.add_argument("id", metavar="ID", help="its id, or the idempotency key")


class WaitForOperation(ShowOperation):
    """Wait for an operation."""

    summary = "show one when it is done"
    work = "operations:wait"


class UndoOperation(Call):
    """Undo an operation."""

    summary = "delete what it created"
    work = "operations:undo"

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Which one."""
        parser.add_argument("id", metavar="ID", help="its id")
