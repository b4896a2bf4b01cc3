"""Servers, images, networks and volumes of all clouds, a page at a time."""

from typing import Any

from django.template.defaultfilters import yesno
from django.utils.translation import gettext_lazy as _
from horizon import messages, tables, tabs
from horizon.tabs.base import SEPARATOR
from horizon.utils import functions
from openstack_dashboard.api import base

from openstackoid_dashboard import api
from openstackoid_dashboard.federation.tolerant import attempt


def addresses(server: Any) -> str:
    """All addresses of a server."""
    networks = getattr(server, "addresses", None)
    lists = networks.values() if isinstance(networks, dict) else ()
    found = (address for several in lists if isinstance(several, list) for address in several)
    return ", ".join(str(address.get("addr", "")) for address in found if isinstance(address, dict))


class _Paged:
    """A table whose next page is of the same tab: Horizon's own link leads to the first tab."""

    def get_pagination_string(self) -> str:
        """The query of the next page."""
        tab = f"{ResourcesTabs.slug}{SEPARATOR}{self.name}"
        return f"{ResourcesTabs.param_name}={tab}&{super().get_pagination_string()}"


class ServersTable(_Paged, tables.DataTable):
    """One row a server."""

    cloud = tables.Column("cloud", verbose_name=_("Cloud"))
    name = tables.Column("name", verbose_name=_("Name"))
    status = tables.Column("status", verbose_name=_("Status"))
    addresses = tables.Column(addresses, verbose_name=_("IP Address"))
    created = tables.Column("created", verbose_name=_("Created"))

    class Meta:
        name = "servers"
        verbose_name = _("Servers")
        hidden_title = True
        pagination_param = "server_marker"


class ImagesTable(_Paged, tables.DataTable):
    """One row an image."""

    cloud = tables.Column("cloud", verbose_name=_("Cloud"))
    name = tables.Column(lambda image: image.name or image.id, verbose_name=_("Name"))
    status = tables.Column("status", verbose_name=_("Status"))
    visibility = tables.Column("visibility", verbose_name=_("Visibility"))
    disk_format = tables.Column("disk_format", verbose_name=_("Format"))

    class Meta:
        name = "images"
        verbose_name = _("Images")
        hidden_title = True
        pagination_param = "image_marker"


class NetworksTable(_Paged, tables.DataTable):
    """One row a network."""

    cloud = tables.Column("cloud", verbose_name=_("Cloud"))
    name = tables.Column(lambda network: network.name or network.id, verbose_name=_("Name"))
    status = tables.Column("status", verbose_name=_("Status"))
    shared = tables.Column("shared", verbose_name=_("Shared"), filters=(yesno,))
    external = tables.Column(
        lambda network: getattr(network, "router:external", False), verbose_name=_("External"), filters=(yesno,)
    )

    class Meta:
        name = "networks"
        verbose_name = _("Networks")
        hidden_title = True
        pagination_param = "network_marker"


class VolumesTable(_Paged, tables.DataTable):
    """One row a volume."""

    cloud = tables.Column("cloud", verbose_name=_("Cloud"))
    name = tables.Column(lambda volume: volume.name or volume.id, verbose_name=_("Name"))
    status = tables.Column("status", verbose_name=_("Status"))
    size = tables.Column("size", verbose_name=_("Size in GiB"))
    volume_type = tables.Column("volume_type", verbose_name=_("Type"))

    class Meta:
        name = "volumes"
        verbose_name = _("Volumes")
        hidden_title = True
        pagination_param = "volume_marker"


class _Tab(tabs.TableTab):
    """A list of one service.

    Attributes:
        services: types under which catalogs have the service.
        path: of the list.
    """

    template_name = "horizon/common/_detail_table.html"
    preload = False
    services: tuple[str, ...]
    path: str

    def allowed(self, request: Any) -> bool:
        """Whether the region has the service."""
        return self._service(request) is not None

    def _service(self, request: Any) -> str | None:
        return next((kind for kind in self.services if base.is_service_enabled(request, kind)), None)

    def has_more_data(self, _table: Any) -> bool:
        """Whether there is a next page."""
        return self._more

    def _page(self) -> list[Any]:
        """One item more than the page shows says whether there is a next one."""
        size = functions.get_page_size(self.request)
        service = self._service(self.request)
        marker = self.request.GET.get(self.table_classes[0]._meta.pagination_param)
        items, missing = attempt(
            self.request,
            lambda: api.resources(self.request, service, self.path, self.slug, limit=size + 1, marker=marker),
            ([], []),
        )
        for cloud in missing:
            messages.warning(self.request, _("Not in the list: %s") % cloud.replace(";code=", ", "))
        self._more = len(items) > size
        return items[:size]


class ServersTab(_Tab):
    """Servers."""

    name = _("Servers")
    slug = "servers"
    table_classes = (ServersTable,)
    services, path = ("compute",), "/servers/detail"

    def get_servers_data(self) -> list[Any]:
        """The servers of the user's project, in every cloud."""
        return self._page()


class ImagesTab(_Tab):
    """Images."""

    name = _("Images")
    slug = "images"
    table_classes = (ImagesTable,)
    services, path = ("image",), "/v2/images"

    def get_images_data(self) -> list[Any]:
        """The images that the user sees, in every cloud."""
        return self._page()


class NetworksTab(_Tab):
    """Networks."""

    name = _("Networks")
    slug = "networks"
    table_classes = (NetworksTable,)
    services, path = ("network",), "/v2.0/networks"

    def get_networks_data(self) -> list[Any]:
        """The networks that the user sees, in every cloud."""
        return self._page()


class VolumesTab(_Tab):
    """Volumes."""

    name = _("Volumes")
    slug = "volumes"
    table_classes = (VolumesTable,)
    services, path = ("block-storage", "volumev3"), "/volumes/detail"

    def get_volumes_data(self) -> list[Any]:
        """The volumes of the user's project, in every cloud."""
        return self._page()


class ResourcesTabs(tabs.TabGroup):
    """All of them."""

    slug = "resources"
    tabs = (ServersTab, ImagesTab, NetworksTab, VolumesTab)
    sticky = False

    def tabs_not_available(self) -> None:
        """Say why the page is empty."""
        messages.info(self.request, _("This region has no services with resources."))
