"""Servers and images of all clouds, a page at a time."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from horizon import messages, tables, tabs
from horizon.utils import functions

from openstackoid_dashboard import api
from openstackoid_dashboard.federation.tolerant import attempt


def addresses(server: Any) -> str:
    """All addresses of a server."""
    networks = getattr(server, "addresses", None)
    lists = networks.values() if isinstance(networks, dict) else ()
    found = (address for several in lists if isinstance(several, list) for address in several)
    return ", ".join(str(address.get("addr", "")) for address in found if isinstance(address, dict))


class ServersTable(tables.DataTable):
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


class ImagesTable(tables.DataTable):
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


class _Tab(tabs.TableTab):
    template_name = "horizon/common/_detail_table.html"
    preload = False
    service: str
    path: str

    def has_more_data(self, _table: Any) -> bool:
        """Whether there is a next page."""
        return self._more

    def _page(self) -> list[Any]:
        """One item more than the page shows says whether there is a next one."""
        size = functions.get_page_size(self.request)
        marker = self.request.GET.get(self.table_classes[0]._meta.pagination_param)
        items, missing = attempt(
            self.request,
            lambda: api.resources(self.request, self.service, self.path, self.slug, limit=size + 1, marker=marker),
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
    service, path = "compute", "/servers/detail"

    def get_servers_data(self) -> list[Any]:
        """The servers of the user's project, in every cloud."""
        return self._page()


class ImagesTab(_Tab):
    """Images."""

    name = _("Images")
    slug = "images"
    table_classes = (ImagesTable,)
    service, path = "image", "/v2/images"

    def get_images_data(self) -> list[Any]:
        """The images that the user sees, in every cloud."""
        return self._page()


class ResourcesTabs(tabs.TabGroup):
    """Both."""

    slug = "resources"
    tabs = (ServersTab, ImagesTab)
    sticky = False
