"""Paths."""

from django.urls import re_path

from openstackoid_dashboard.federation.contracts import views

_ID = r"(?P<contract_id>[0-9a-f]{32})"
urlpatterns = [
    re_path(r"^$", views.IndexView.as_view(), name="index"),
    re_path(rf"^{_ID}/$", views.DetailView.as_view(), name="detail"),
    re_path(rf"^{_ID}/(?P<event>{'|'.join(views.EVENTS)})$", views.EventView.as_view(), name="event"),
]
