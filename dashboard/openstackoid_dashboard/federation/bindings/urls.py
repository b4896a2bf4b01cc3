"""Paths."""

from django.urls import re_path

from openstackoid_dashboard.federation.bindings import views

urlpatterns = [
    re_path(r"^$", views.IndexView.as_view(), name="index"),
    re_path(r"^bind$", views.BindView.as_view(), name="bind"),
]
