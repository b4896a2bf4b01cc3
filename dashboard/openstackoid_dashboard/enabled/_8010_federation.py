"""The dashboard Federation: Horizon reads these names."""

from openstackoid_dashboard.errors import FederationError

DASHBOARD = "federation"
ADD_INSTALLED_APPS = ["openstackoid_dashboard", "openstackoid_dashboard.federation"]
ADD_EXCEPTIONS = {"recoverable": (FederationError,)}
