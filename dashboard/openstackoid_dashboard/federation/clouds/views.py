"""The page of peers."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from horizon import tables

from openstackoid_dashboard import api
from openstackoid_dashboard.federation.clouds.tables import PeersTable
from openstackoid_dashboard.federation.tolerant import attempt


class IndexView(tables.DataTableView):
    """Peers."""

    table_class = PeersTable
    page_title = _("Clouds")

    def get_data(self) -> list[Any]:
        """Ask the gateway."""
        return attempt(self.request, lambda: api.peers(self.request), [])
