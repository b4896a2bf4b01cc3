"""When this gateway's certificates end, and who vouches for those of others."""

import ssl
from pathlib import Path

from cryptography import x509

from openstackoid.core.errors import ConfigError
from openstackoid.gateway.settings.config import Config


def certificate_ends(config: Config) -> dict[str, float]:
    """Key of the configuration -> the end of the certificate there (Unix seconds).

    Raises:
        ConfigError: a file holds no certificate.
    """
    tls = {"tls.certificate": config.tls, "peering.tls.certificate": config.peering.tls if config.peering else None}
    return {key: _end(key, section.certificate) for key, section in tls.items() if section}


def authorities(ca: Path | None) -> ssl.SSLContext:
    """The context of connections to peers and backends.

    Args:
        ca: PEM file of trusted authorities; the system's if not given.

    Raises:
        ConfigError: the file holds none.
    """
    try:
        return ssl.create_default_context(cafile=str(ca) if ca else None)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError(f"ca: expected certificates of authorities in PEM form in {ca}: {error}") from None


def _end(key: str, path: Path) -> float:
    try:
        # The first certificate is the gateway's own; those of its authorities may follow (RFC 8446, 4.4.2).
        return x509.load_pem_x509_certificates(path.read_bytes())[0].not_valid_after_utc.timestamp()
    except OSError as error:
        raise ConfigError(f"{key}: {path}: {error.strerror}") from None
    except ValueError:
        raise ConfigError(f"{key}: expected a certificate in PEM form, got something else in {path}") from None
