"""The table of failures of clouds: the gRPC code and the permanent reason of each."""

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
    406: (StatusCode.UNIMPLEMENTED, "NOT_SUPPORTED"),  # nova: an unsupported microversion
    408: (StatusCode.UNAVAILABLE, "CLOUD_TIMEOUT"),
    # Neutron and nova answer 409 for "in use" and "wrong state" as well: it means "already exists" only in an answer to a create.
    409: (StatusCode.FAILED_PRECONDITION, "CONFLICT"),
    410: (StatusCode.NOT_FOUND, "NOT_FOUND"),
    411: (StatusCode.INVALID_ARGUMENT, "CLOUD_BAD_REQUEST"),
    # An outdated revision number or ETag: the client should read the resource again, then retry.
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
    # Not DEADLINE_EXCEEDED: it means that the caller's own deadline has passed, and clients do not retry after it.
    504: (StatusCode.UNAVAILABLE, "CLOUD_TIMEOUT"),
    505: (StatusCode.UNIMPLEMENTED, "NOT_SUPPORTED"),
}
# FAILED_PRECONDITION if the server's own user is refused: UNAUTHENTICATED is about the caller.
REFUSED: Final = (StatusCode.UNAUTHENTICATED, "CLOUD_UNAUTHENTICATED")
CREATED_TWICE: Final = (StatusCode.ALREADY_EXISTS, "ALREADY_EXISTS")
QUOTA: Final = (StatusCode.RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED")
UNREACHABLE: Final = (StatusCode.UNAVAILABLE, "CLOUD_UNREACHABLE")
INTERNAL: Final = (StatusCode.INTERNAL, "INTERNAL")
NOT_SERVED: Final = (StatusCode.UNAVAILABLE, "CLOUD_DISCOVERY_FAILED")
_RUBBISH: Final = (StatusCode.INTERNAL, "CLOUD_ANSWER_INVALID")

# Exceptions of openstacksdk, keystoneauth and requests without an HTTP status, the more specific first.
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
# Exceptions that hide the cause of a failure: the exception that they were raised from is more specific.
VAGUE: Final = (
    keystone.DiscoveryFailure,
    keystone.UnknownConnectionError,
    sdk.ServiceDiscoveryException,
    sdk.ConfigException,
)
