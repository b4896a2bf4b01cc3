"""The lab's own certificate authority, and the certificates that it signs: for TLS at the gateways' peering addresses.

All certificates meet RFC 5280 (names, key usage, key identifiers), since Python 3.13 verifies with ``VERIFY_X509_STRICT``. trustme, which tests use,
does not fit: its subject alternative names are critical beside a subject, which strict verifiers refuse, and its authorities end in the year 3000.
Existing files are kept, except those that expire soon, and those that do not belong together.
"""

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from .state import write_private

LIFE = timedelta(days=365)
LIFE_OF_AUTHORITY = timedelta(days=3650)
# Clocks differ, and a machine's may have been set back a little.
BACKDATED = timedelta(days=1)
RENEWED = timedelta(days=30)


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def authority(certificate: Path, key: Path, now: datetime) -> Pair:
    """Read the authority of a lab, or make it."""
    existing = read(certificate, key, now)
    if existing:
        return existing
    fresh = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "openstackoid lab")])
    made = begin(name, fresh, now, LIFE_OF_AUTHORITY).issuer_name(name)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    made = made.add_extension(usages(signs_certificates=True), critical=True)
    pair = Pair(made.sign(fresh, hashes.SHA256()), fresh)
    write(pair, certificate, key)
    return pair


def ensure(
    certificate: Path,
    key: Path,
    signer: Pair,
    name: str,
    address: str,
    now: datetime,
) -> bool:
    """Make the certificate of a server with a DNS name, at an IP address, unless a valid one exists; returns whether it is new."""
    pair = read(certificate, key, now)
    if pair and is_for(pair.certificate, signer, name, address):
        return False
    fresh = ec.generate_private_key(ec.SECP256R1())
    # X.520 allows 64 characters; verifiers ignore the common name if there are alternative names.
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    identifier = signer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    made = begin(subject, fresh, now, LIFE).issuer_name(signer.certificate.subject)
    made = made.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    made = made.add_extension(usages(signs_certificates=False), critical=True)
    made = made.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    made = made.add_extension(
        x509.SubjectAlternativeName([x509.DNSName(name), x509.IPAddress(ipaddress.ip_address(address))]), critical=False
    )
    made = made.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False
    )
    write(Pair(made.sign(signer.key, hashes.SHA256()), fresh), certificate, key)
    return True


def begin(
    subject: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    """Begin a certificate with the fields that all certificates have."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def usages(*, signs_certificates: bool) -> x509.KeyUsage:
    """The extension with a key's usage: signing certificates, or the handshakes of a server."""
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def read(certificate: Path, key: Path, now: datetime) -> Pair | None:
    """Read a pair that is complete, belongs together and does not expire soon."""
    try:
        loaded = x509.load_pem_x509_certificate(certificate.read_bytes())
        private = load_pem_private_key(key.read_bytes(), None)
    except (OSError, ValueError):
        return None
    if not isinstance(private, ec.EllipticCurvePrivateKey) or private.public_key() != loaded.public_key():
        return None
    good = loaded.not_valid_before_utc <= now <= loaded.not_valid_after_utc - RENEWED
    return Pair(loaded, private) if good else None


def is_for(certificate: x509.Certificate, signer: Pair, name: str, address: str) -> bool:
    """Whether a certificate is signed by this authority, for this name and address."""
    try:
        certificate.verify_directly_issued_by(signer.certificate)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    addresses = names.get_values_for_type(x509.IPAddress)
    return ipaddress.ip_address(address) in addresses and name in names.get_values_for_type(x509.DNSName)


def write(pair: Pair, certificate: Path, key: Path) -> None:
    """Write both, the key readable by its owner only. The key is written first: an existing certificate means a complete pair."""
    private = pair.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_private(key, private.decode())
    write_private(certificate, pair.certificate.public_bytes(Encoding.PEM).decode())
