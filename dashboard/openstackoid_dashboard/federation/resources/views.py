"""The page of resources of all clouds."""

from django.utils.translation import gettext_lazy as _
from horizon import tabs

from openstackoid_dashboard.federation.resources.tabs import ResourcesTabs


class IndexView(tabs.TabbedTableView):
    """A tab for each kind."""

    tab_group_class = ResourcesTabs
    template_name = "federation/tabs.html"
    page_title = _("Resources of All Clouds")
