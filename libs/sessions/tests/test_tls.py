"""The certificate of the first start."""

from __future__ import annotations

import ssl
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography import x509
from vpin_runtime.settings import Settings, SettingsError
from vpin_sessions.tls import own_certificate, server_context


def test_it_is_made_once_and_private(tmp_path):
    first = own_certificate(tmp_path / "data")
    made = first.read_bytes()
    assert first.stat().st_mode & 0o777 == 0o600
    assert own_certificate(tmp_path / "data").read_bytes() == made
    assert [file.name for file in (tmp_path / "data").iterdir()] == ["tls.pem"]


def test_starts_at_the_same_time_agree(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda _: own_certificate(tmp_path), range(8)))
    assert len({path.read_bytes() for path in paths}) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["tls.pem"]


def test_it_names_the_host_and_loopback(tmp_path):
    pem = own_certificate(tmp_path, "iot.example.com").read_bytes()
    certificate = x509.load_pem_x509_certificate(pem)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {"localhost", "iot.example.com"} <= set(names.get_values_for_type(x509.DNSName))
    assert {str(address) for address in names.get_values_for_type(x509.IPAddress)} == {"127.0.0.1", "::1"}
    assert (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days > 3650


def test_a_client_that_trusts_it_gets_through(tmp_path):
    """A handshake in memory."""
    settings = Settings(data=tmp_path)
    server = server_context(settings)
    assert server.minimum_version is ssl.TLSVersion.TLSv1_2
    client = ssl.create_default_context(cafile=str(tmp_path / "tls.pem"))
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(down, up, server_hostname="localhost"), server.wrap_bio(up, down, server_side=True)]
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                pass
    assert ends[0].version() == "TLSv1.3"
    assert down.read() == b""  # no session tickets behind the handshake


def test_the_settings_may_name_a_certificate(tmp_path):
    given = own_certificate(tmp_path / "given")
    settings = Settings(data=tmp_path / "data", tls_certificate=given, tls_key=given)
    server_context(settings)
    assert not (tmp_path / "data").exists()


def test_a_certificate_that_can_not_be_used_is_told(tmp_path):
    (tmp_path / "text.pem").write_text("no certificate")
    for certificate, message in (("nowhere.pem", "VPIN_TLS_CERTIFICATE: there is no file"), ("text.pem", "PEM form")):
        with pytest.raises(SettingsError, match=message):
            server_context(Settings(data=tmp_path, tls_certificate=tmp_path / certificate))
    given = own_certificate(tmp_path)
    with pytest.raises(SettingsError, match="VPIN_TLS_KEY: there is no file"):
        server_context(Settings(data=tmp_path, tls_certificate=given, tls_key=tmp_path / "key.pem"))
