"""What each failure of a cloud is among gRPC's codes, with our permanent reason: the table that errors.py goes by."""

import asyncio
import json
from typing import Final

import keystoneauth1.exceptions as keystone
import openstack.exceptions as sdk
import requests
from grpc import StatusCode

# HTTP status of a cloud -> gRPC code and reason. Others of 4xx are FAILED_PRECONDITION, all others UNAVAILABLE.
HTTP: Final[dict[int, tuple[StatusCode, str]]] = {
    400: (StatusCode.INVALID_ARGUMENT, "CLOUD_BAD_REQUEST"),
    401: (StatusCode.UNAUTHENTICATED, "CLOUD_UNAUTHENTICATED"),
    403: (StatusCode.PERMISSION_DENIED, "CLOUD_FORBIDDEN"),
    404: (StatusCode.NOT_FOUND, "NOT_FOUND"),
    405: (StatusCode.UNIMPLEMENTED, "NOT_SUPPORTED"),
    406: (StatusCode.UNIMPLEMENTED, "NOT_SUPPORTED"),  # nova: a microversion that it does not have
    408: (StatusCode.UNAVAILABLE, "CLOUD_TIMEOUT"),
    # Neutron and nova say 409 for "in use" and "wrong state" as well: only an answer to a create means that it is there already.
    409: (StatusCode.FAILED_PRECONDITION, "CONFLICT"),
    410: (StatusCode.NOT_FOUND, "NOT_FOUND"),
    411: (StatusCode.INVALID_ARGUMENT, "CLOUD_BAD_REQUEST"),
    # A revision number or ETag that is not the newest: read again, then try again.
    412: (StatusCode.ABORTED, "PRECONDITION_FAILED"),
    413: (StatusCode.RESOURCE_EXHAUSTED, "REQUEST_TOO_LARGE"),
    414: (StatusCode.INVALID_ARGUMENT, "CLOUD_BAD_REQUEST"),
    415: (StatusCode.INVALID_ARGUMENT, "CLOUD_BAD_REQUEST"),
    416: (StatusCode.OUT_OF_RANGE, "CLOUD_BAD_REQUEST"),
    422: (StatusCode.INVALID_ARGUMENT, "CLOUD_BAD_REQUEST"),
    429: (StatusCode.RESOURCE_EXHAUSTED, "CLOUD_RATE_LIMITED"),
    500: (StatusCode.INTERNAL, "CLOUD_FAILED"),
    501: (StatusCode.UNIMPLEMENTED, "NOT_SUPPORTED"),
    502: (StatusCode.UNAVAILABLE, "CLOUD_UNAVAILABLE"),
    503: (StatusCode.UNAVAILABLE, "CLOUD_UNAVAILABLE"),
    # Not DEADLINE_EXCEEDED: that one says that the caller's own deadline came, and clients stop at it.
    504: (StatusCode.UNAVAILABLE, "CLOUD_TIMEOUT"),
    505: (StatusCode.UNIMPLEMENTED, "NOT_SUPPORTED"),
}
# FAILED_PRECONDITION where the server's own user is refused: UNAUTHENTICATED is about the caller.
REFUSED: Final = (StatusCode.UNAUTHENTICATED, "CLOUD_UNAUTHENTICATED")
CREATED_TWICE: Final = (StatusCode.ALREADY_EXISTS, "ALREADY_EXISTS")
QUOTA: Final = (StatusCode.RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED")
UNREACHABLE: Final = (StatusCode.UNAVAILABLE, "CLOUD_UNREACHABLE")
INTERNAL: Final = (StatusCode.INTERNAL, "INTERNAL")
NOT_SERVED: Final = (StatusCode.UNAVAILABLE, "CLOUD_DISCOVERY_FAILED")
_RUBBISH: Final = (StatusCode.INTERNAL, "CLOUD_ANSWER_INVALID")

# What openstacksdk, keystoneauth and requests raise without an answer's status, the more special first.
KINDS: Final[tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], tuple[StatusCode, str]], ...]] = (
    (requests.ConnectTimeout, UNREACHABLE),
    ((keystone.ConnectTimeout, requests.Timeout), (StatusCode.UNAVAILABLE, "CLOUD_TIMEOUT")),
    ((keystone.SSLError, requests.exceptions.SSLError), (StatusCode.UNAVAILABLE, "CLOUD_TLS_FAILED")),
    (keystone.MissingAuthMethods, REFUSED),
    ((keystone.InvalidResponse, sdk.InvalidResponse, json.JSONDecodeError), _RUBBISH),
    ((requests.exceptions.ContentDecodingError, requests.exceptions.ChunkedEncodingError), _RUBBISH),
    ((keystone.ConnectionError, requests.ConnectionError), UNREACHABLE),
    (
        (keystone.EndpointNotFound, sdk.EndpointNotFound, sdk.ServiceDisabledException),
        (StatusCode.UNIMPLEMENTED, "SERVICE_MISSING"),
    ),
    (
        (keystone.VersionNotAvailable, sdk.NotSupported, sdk.MethodNotSupported),
        (StatusCode.UNIMPLEMENTED, "NOT_SUPPORTED"),
    ),
    ((keystone.DiscoveryFailure, sdk.ServiceDiscoveryException), NOT_SERVED),
    (keystone.AuthorizationFailure, REFUSED),
    (
        (keystone.AuthPluginException, keystone.CatalogException, sdk.ConfigException),
        (StatusCode.FAILED_PRECONDITION, "CLOUD_CONFIG_INVALID"),
    ),
    (
        (sdk.InvalidResourceQuery, sdk.InvalidRequest, sdk.ValidationException),
        (StatusCode.INVALID_ARGUMENT, "CLOUD_BAD_REQUEST"),
    ),
    (sdk.DuplicateResource, (StatusCode.FAILED_PRECONDITION, "NAME_AMBIGUOUS")),
    (sdk.ResourceTimeout, (StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED")),
    (sdk.ResourceFailure, (StatusCode.FAILED_PRECONDITION, "RESOURCE_FAILED")),
    ((keystone.ClientException, sdk.SDKException, requests.RequestException), (StatusCode.UNKNOWN, "CLOUD_ERROR")),
    (asyncio.CancelledError, (StatusCode.CANCELLED, "CALL_CANCELLED")),
    (TimeoutError, (StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED")),
)
# These say that something went wrong on the way, and hide what: the error that they came from says more.
VAGUE: Final = (
    keystone.DiscoveryFailure,
    keystone.UnknownConnectionError,
    sdk.ServiceDiscoveryException,
    sdk.ConfigException,
)
