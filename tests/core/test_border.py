"""Which headers cross between two owners' clouds."""

import pytest

from openstackoid.core.border import answer_passes, request_passes


def names(text: str) -> list[str]:
    return text.split()


# What stock clients send (openstackclient, openstacksdk, gophercloud, the services' own clients), service by service.
SENT = names(
    """Host Accept Accept-Encoding Accept-Language Content-Type Content-Length Content-Encoding Range If-Match If-None-Match
If-Modified-Since If-Unmodified-Since If-Range Cache-Control Pragma X-Auth-Token X-Openstack-Request-ID OpenStack-API-Version
X-OpenStack-Nova-API-Version X-OpenStack-Ironic-API-Version X-OpenStack-Ironic-Inspector-API-Version X-OpenStack-Manila-API-Version
X-OpenStack-Manila-API-Experimental x-openstack-image-size x-image-meta-store X-Account-Meta-Colour X-Remove-Account-Meta-Colour
X-Container-Read X-Container-Write X-Container-Sync-To X-Container-Meta-my_key X-Remove-Container-Read X-Object-Meta-my_key
X-Object-Manifest X-Versions-Location X-History-Location X-Versions-Enabled X-Remove-Versions-Location X-Copy-From X-Copy-From-Account
Destination Destination-Account X-Fresh-Metadata X-Delete-At X-Delete-After X-Remove-Delete-At X-If-Delete-At X-Detect-Content-Type X-Newest
X-Storage-Policy X-Symlink-Target X-Symlink-Target-Account X-Timestamp ETag X-Trans-Id-Extra X-Account-Access-Control Content-Disposition
Client-ID X-Designate-Hard-Delete"""
)
# Credentials, what a proxy says of a client, what a service believes of its middleware, and underscore twins of the above.
KEPT = names(
    """Authorization Proxy-Authorization Cookie Cookie2 From Referer Via Forwarded Origin X-Forwarded-For X-Forwarded-Proto
X-SSL-Client-S-DN SSL-Client-Cert X-Client-Verify X-Effective-User Remote-User Private-Token X-Vault-Token X-Vault-Namespace Api-Key
X-Api-Key X-Amz-Security-Token X-Goog-Iam-Authorization-Token OpenStack-System-Scope X-Service-Token X-Subject-Token X-Auth-Key X-Auth-User
X-Auth-All-Projects X-Auth-Sudo-Project-ID X-Storage-Token X-User-Id X-Project-Id X-Roles X-Identity-Status X-Trace-Info X-Trace-HMAC
X-Target-Auth-Token X-Backend-Timestamp X-Object-Sysmeta-Key X-Object-Transient-Sysmeta-Key X-Container-Sysmeta-Owner X-Glance-Api-Copy-From
X-Image-Meta-Location X-HTTP-Method-Override X-Method-Override X-Scope X-Openstackoid-Hops URL-Signature X_Auth_Token Content_Type
X_Openstack_Request_Id X-OpenStack_Nova-API-Version Connection Upgrade TE Trailer traceparent baggage DNT Sec-Fetch-Site X-Real-IP User-Agent"""
)
# What services answer with.
ANSWERED = names(
    """Content-Type Content-Length Content-Encoding Content-Range Content-Disposition ETag Last-Modified Date Vary Cache-Control Expires
Retry-After Accept-Ranges Allow Location Content-Location X-Openstack-Request-Id x-compute-request-id OpenStack-API-Version
OpenStack-API-Minimum-Version OpenStack-API-Maximum-Version X-OpenStack-Nova-API-Version X-OpenStack-Ironic-API-Maximum-Version
OpenStack-image-import-methods OpenStack-image-store-ids X-Account-Object-Count X-Container-Bytes-Used X-Object-Meta-my_key X-Trans-Id
X-Timestamp X-Delete-At X-Static-Large-Object X-Storage-Policy X-Copied-From X-Content-Type-Options Server"""
)
# What changes how a browser or a client behaves towards the host that it believes to talk to, or leads elsewhere.
REFUSED = names(
    """Set-Cookie Set-Cookie2 Alt-Svc Alt-Used Strict-Transport-Security Refresh Clear-Site-Data WWW-Authenticate Proxy-Authenticate
Authentication-Info Access-Control-Allow-Origin Access-Control-Allow-Credentials Content-Security-Policy Content-Security-Policy-Report-Only
Public-Key-Pins Expect-CT NEL Report-To Reporting-Endpoints Link SourceMap Service-Worker-Allowed X-Auth-Token X-Subject-Token X-Storage-Token
X-Storage-Url X-Accel-Redirect X-Sendfile X-Openstackoid-Client Via X-Object-Sysmeta-Key X-Backend-Timestamp OpenStack-image-glance-direct-url
Timing-Allow-Origin Cross-Origin-Resource-Policy Permissions-Policy Connection Upgrade Content_Type Status"""
)


@pytest.mark.parametrize("name", SENT)
def test_what_clients_send_passes(name: str) -> None:
    assert request_passes(name)
    assert request_passes(name.upper())


@pytest.mark.parametrize("name", KEPT)
def test_what_tells_who_and_with_what_does_not(name: str) -> None:
    assert not request_passes(name)
    assert not request_passes(name.lower())


@pytest.mark.parametrize("name", ANSWERED)
def test_what_services_answer_passes(name: str) -> None:
    assert answer_passes(name)


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_lead_or_bind_a_client_does_not(name: str) -> None:
    assert not answer_passes(name)
