"""Certificates: those that are given, and one that this machine signs itself, of which browsers warn once."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from earmark.apps.server.secret import write_secret
from earmark.errors import OptionError

DAYS = 397  # days that browsers accept a certificate for
LEFT_DAYS = 14  # days before its end in which another is made


def self_signed(folder: Path, names: tuple[str, ...]) -> tuple[Path, Path]:
    """Return (certificate, key) for this machine, made unless those in the folder are good for some days still."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    wanted = {"localhost", socket.gethostname(), f"{socket.gethostname()}.local", *names}
    if not _is_good(certificate, wanted) or not key.is_file():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _make(certificate, key, sorted(wanted))
    return certificate, key


def _is_good(path: Path, wanted: set[str]) -> bool:
    try:
        known = x509.load_pem_x509_certificate(path.read_bytes())
        names = known.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound):
        return False
    ends = known.not_valid_after_utc - timedelta(days=LEFT_DAYS)
    return ends > datetime.now(UTC) and wanted <= set(names.get_values_for_type(x509.DNSName))


def _make(certificate: Path, key: Path, names: list[str]) -> None:
    private, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    alternatives = [x509.DNSName(name) for name in names] + [
        x509.IPAddress(ip_address(address)) for address in _own_addresses()
    ]
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=DAYS))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(private, hashes.SHA256())
    )
    secret = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_secret(key, secret)
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))


def _own_addresses() -> list[str]:
    """Return the addresses of this machine that its own name leads to, and the loopback ones."""
    found = {"127.0.0.1", "::1"}
    try:
        entries = socket.getaddrinfo(socket.gethostname(), None)
    except OSError:
        entries = []
    return sorted(found | {str(entry[4][0]).partition("%")[0] for entry in entries})


def checked_certificate(certificate: Path, key: Path) -> tuple[Path, Path]:
    """Return the files of a certificate and its key; raises OptionError unless they can be used together."""
    for path in (certificate, key):
        if not path.is_file():
            raise OptionError(f"{path} is no file; give the PEM files of a certificate and its key")
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key)
    except (OSError, ValueError) as error:  # SSLError is an OSError
        raise OptionError(f"{certificate} and {key} are no certificate and its own key in PEM; give others") from error
    return certificate, key
