"""Paths."""

from django.urls import re_path

from openstackoid_dashboard.federation.regions import views

urlpatterns = [
    re_path(r"^$", views.IndexView.as_view(), name="index"),
    re_path(r"^create$", views.CreateView.as_view(), name="create"),
    re_path(r"^(?P<region_id>[0-9a-f]{32})/$", views.DetailView.as_view(), name="detail"),
    re_path(r"^(?P<region_id>[0-9a-f]{32})/offer$", views.OfferView.as_view(), name="offer"),
    re_path(r"^(?P<region_id>[0-9a-f]{32})/declare$", views.DeclareView.as_view(), name="declare"),
]
