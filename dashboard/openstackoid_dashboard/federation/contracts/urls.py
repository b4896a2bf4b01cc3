"""Paths."""

from django.urls import re_path

from openstackoid_dashboard.federation.contracts import statements, views, whois

_ID = r"(?P<contract_id>[0-9a-f]{32})"
_STATEMENT = rf"{_ID}/statements/(?P<number>[0-9]{{1,9}})"
urlpatterns = [
    re_path(r"^$", views.IndexView.as_view(), name="index"),
    re_path(rf"^{_ID}/$", views.DetailView.as_view(), name="detail"),
    re_path(rf"^{_ID}/(?P<event>{'|'.join(views.EVENTS)})$", views.EventView.as_view(), name="event"),
    re_path(rf"^{_ID}/whois$", whois.WhoisView.as_view(), name="whois"),
    re_path(rf"^{_ID}/statements/$", statements.IndexView.as_view(), name="statements"),
    re_path(rf"^{_ID}/statements/sign$", statements.SignView.as_view(), name="sign"),
    re_path(rf"^{_STATEMENT}/$", statements.DetailView.as_view(), name="statement"),
    re_path(rf"^{_STATEMENT}/statement[.](?P<form>csv|json)$", statements.DownloadView.as_view(), name="download"),
    re_path(rf"^{_STATEMENT}/(?P<answer>accept|refuse)$", statements.AnswerView.as_view(), name="answer"),
]
