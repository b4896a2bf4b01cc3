"""Paths."""

from django.urls import re_path

from openstackoid_dashboard.federation.offers import views

_OFFER = r"(?P<provider>[A-Za-z0-9._-]+)/(?P<name>[A-Za-z0-9._-]+)"
urlpatterns = [
    re_path(r"^$", views.IndexView.as_view(), name="index"),
    re_path(r"^compare$", views.CompareView.as_view(), name="compare"),
    re_path(rf"^{_OFFER}/$", views.DetailView.as_view(), name="detail"),
    re_path(rf"^{_OFFER}/request$", views.RequestView.as_view(), name="request"),
]
