"""Paths."""

from django.urls import re_path

from openstackoid_dashboard.federation.audit import views

urlpatterns = [re_path(r"^$", views.IndexView.as_view(), name="index")]
