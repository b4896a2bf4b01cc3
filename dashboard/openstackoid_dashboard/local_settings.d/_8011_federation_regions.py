"""The region menu of an aggregator, the first page where there is no region yet, and what a region that is down does to a page.

Horizon reads this inside its settings.
"""

MIDDLEWARE = (*MIDDLEWARE, "openstackoid_dashboard.regions_menu.RegionsMiddleware")
HORIZON_CONFIG["user_home"] = "openstackoid_dashboard.home.user_home"
# Horizon 27 takes every error of openstacksdk for one of rights (openstack_dashboard/exceptions.py): where one service is down, its users get
# "Unauthorized" instead of a page. As a recoverable error, which it is by another class there, it becomes a message on the page.
HORIZON_CONFIG["exceptions"]["unauthorized"] = tuple(
    error for error in HORIZON_CONFIG["exceptions"]["unauthorized"] if error.__module__ != "openstack.exceptions"
)
