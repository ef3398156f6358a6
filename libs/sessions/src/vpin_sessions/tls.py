"""TLS of the server: its certificate, given or made by ourselves on the first start."""

from __future__ import annotations

import datetime
import ipaddress
import os
import secrets
import socket
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from vpin_runtime.settings import Settings, SettingsError

FILE = "tls.pem"
"""Key and certificate in one file of the data folder, so that they can't be of two different starts."""
VALID = datetime.timedelta(days=3652)


def server_context(settings: Settings) -> ssl.SSLContext:
    """TLS 1.2 or newer with the certificate of the settings, else our own; SettingsError when theirs can't be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Tickets come right behind the handshake. Python clients that read and write from two threads (websockets' own
    # among them) then take one in the middle of their first write, and lose what they wrote.
    context.num_tickets = 0
    if settings.tls_certificate is not None:
        _load(context, settings.tls_certificate, settings.tls_key)
    else:
        context.load_cert_chain(own_certificate(settings.data, settings.server_host))
    return context


def _load(context: ssl.SSLContext, certificate: Path, key: Path | None) -> None:
    for variable, file in (("VPIN_TLS_CERTIFICATE", certificate), ("VPIN_TLS_KEY", key)):
        if file is not None and not file.is_file():
            raise SettingsError(f"{variable}: there is no file {file}")
    try:
        context.load_cert_chain(certificate, key)
    except OSError as error:  # SSLError is one
        raise SettingsError(
            f"VPIN_TLS_CERTIFICATE, VPIN_TLS_KEY: {certificate} and {key or 'no other file'} are no certificate with its"
            f" key in PEM form, or may not be read ({error})"
        ) from error


def own_certificate(folder: Path, host: str = "") -> Path:
    """The self-signed certificate in ``folder``; made now if there is none. Concurrent starts agree on one."""
    path = folder / FILE
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / f".{FILE}.{secrets.token_hex(8)}"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(_make(host))
                file.flush()
                os.fsync(file.fileno())
            os.link(draft, path)  # fails when another process was first: then its file is the one
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path


def _make(host: str) -> bytes:
    """A fresh P-256 key and its certificate, PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "vpin")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + VALID)
        .add_extension(x509.SubjectAlternativeName(_names(host)), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return secret + certificate.public_bytes(serialization.Encoding.PEM)


def _names(host: str) -> list[x509.GeneralName]:
    """What clients may call this server: its names, as far as they are ASCII, and the loopback addresses."""
    names = dict.fromkeys(name for name in ("localhost", socket.gethostname(), host) if name and name.isascii())
    general: list[x509.GeneralName] = []
    for name in names:
        try:
            general.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            general.append(x509.DNSName(name))
    loopback = ("127.0.0.1", "::1")
    return general + [x509.IPAddress(ipaddress.ip_address(address)) for address in loopback if address not in names]
