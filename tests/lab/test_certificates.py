"""The lab's certificate authority: what it signs is checked by TLS itself, as strictly as it can."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from openstackoid.lab import certificates

NOW = datetime.now(UTC)
HERE = "127.0.1.2"
NAME = "cloudone.openstackoid.test"


class Files:
    """An authority and one certificate in a folder."""

    def __init__(self, folder: Path) -> None:
        self.ca, self.ca_key = folder / "ca.crt", folder / "ca.key"
        self.certificate, self.key = folder / "peering.crt", folder / "peering.key"

    def make(self, now: datetime = NOW, address: str = HERE, name: str = NAME) -> bool:
        signer = certificates.authority(self.ca, self.ca_key, now)
        return certificates.ensure(self.certificate, self.key, signer, name, address, now)

    def all(self) -> list[bytes]:
        return [path.read_bytes() for path in (self.ca, self.ca_key, self.certificate, self.key)]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    made = Files(tmp_path)
    assert made.make()
    return made


def handshake(files: Files, address: str) -> None:
    """Do a TLS handshake in memory, with all that a client of Python 3.13 checks."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(files.certificate, files.key)
    client = ssl.create_default_context(cafile=str(files.ca))
    client.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname=address),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    while ends:
        for end in list(ends):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            ends.remove(end)


def test_strict_clients_accept_it(files: Files) -> None:
    handshake(files, HERE)
    handshake(files, NAME)
    with pytest.raises(ssl.SSLCertVerificationError, match="IP address mismatch"):
        handshake(files, "127.0.2.2")
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(files, "cloudtwo.openstackoid.test")


def test_another_implementation_accepts_it(files: Files) -> None:
    store = Store([x509.load_pem_x509_certificate(files.ca.read_bytes())])
    certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    for name in certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value:
        verifier = PolicyBuilder().store(store).time(NOW).build_server_verifier(name)
        assert verifier.verify(certificate, [])
    late = PolicyBuilder().store(store).time(NOW + timedelta(days=366)).build_server_verifier(name)
    with pytest.raises(VerificationError):
        late.verify(certificate, [])


def test_it_lasts_a_year_and_began_a_day_ago(files: Files) -> None:
    certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    assert NOW - certificate.not_valid_before_utc >= timedelta(hours=23)
    assert certificate.not_valid_after_utc - NOW >= timedelta(days=364)


def test_keys_are_for_their_owner_only(files: Files) -> None:
    assert files.key.stat().st_mode & 0o777 == files.ca_key.stat().st_mode & 0o777 == 0o600


def test_what_is_there_is_kept(files: Files) -> None:
    before = files.all()
    assert not files.make()
    assert not files.make(NOW + timedelta(days=300))
    assert files.all() == before


def test_what_ends_soon_is_made_anew(files: Files) -> None:
    authority = files.ca.read_bytes()
    assert files.make(NOW + timedelta(days=340))
    assert files.ca.read_bytes() == authority
    assert files.make(NOW + timedelta(days=3640))
    assert files.ca.read_bytes() != authority


@pytest.mark.parametrize("name", ["ca", "ca_key", "certificate", "key"])
@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_what_is_lost_or_damaged_is_made_anew(files: Files, name: str, content: bytes | None) -> None:
    path: Path = getattr(files, name)
    path.unlink() if content is None else path.write_bytes(content)
    assert files.make()
    handshake(files, HERE)
    assert not files.make()


def test_a_key_of_another_certificate_does_not_count(files: Files, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Files(tmp_path / "other")
    other.make()
    files.key.write_bytes(other.key.read_bytes())
    assert files.make()
    # And a whole pair of another authority.
    files.key.write_bytes(other.key.read_bytes())
    files.certificate.write_bytes(other.certificate.read_bytes())
    assert files.make()
    handshake(files, HERE)


def test_another_address_is_another_certificate(files: Files) -> None:
    assert files.make(address="127.0.9.2")
    handshake(files, "127.0.9.2")


def test_another_name_is_another_certificate(files: Files) -> None:
    longest = f"{'x' * 50}-12345678.openstackoid.test"
    assert files.make(name=longest)
    handshake(files, longest)
    handshake(files, HERE)
    assert not files.make(name=longest)
