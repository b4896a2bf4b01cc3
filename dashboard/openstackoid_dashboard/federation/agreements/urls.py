"""Paths."""

from django.urls import re_path

from openstackoid_dashboard.federation.agreements import views

_NAME = r"(?P<name>[A-Za-z0-9._-]{1,64})"
urlpatterns = [
    re_path(r"^$", views.IndexView.as_view(), name="index"),
    re_path(r"^add$", views.AddView.as_view(), name="add"),
    re_path(rf"^{_NAME}/$", views.DetailView.as_view(), name="detail"),
    re_path(rf"^{_NAME}/allow$", views.AllowView.as_view(), name="allow"),
    re_path(rf"^{_NAME}/trust$", views.TrustView.as_view(), name="trust"),
]
