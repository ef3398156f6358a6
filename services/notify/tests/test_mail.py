"""Mail over real SMTP, to a server on loopback."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sink import Sink
from structlog.testing import capture_logs
from vpin_messages.jobs import Attachment, Job
from vpin_notify import mail
from vpin_notify.mail import MailProvider
from vpin_notify.message import message_id
from vpin_notify.providers import Refused, Unavailable
from vpin_runtime.settings import Settings
from vpin_sessions.tls import own_certificate

pytestmark = [pytest.mark.anyio, pytest.mark.integration]


def job(key: str = "k", **fields: object) -> Job:
    known: dict[str, object] = {
        "key": key,
        "channel": "mail",
        "to": ["a@example.com"],
        "subject": "Hi",
        "text": "Hello",
    }
    return Job(**known | fields)  # type: ignore[arg-type]  # fields by name


@pytest.fixture
async def provider(sink: Sink) -> AsyncIterator[MailProvider]:
    made = MailProvider(sink.settings())
    yield made
    await made.close()


async def test_a_mail_arrives_as_it_was_meant(sink: Sink, provider: MailProvider) -> None:
    files = [Attachment("values.csv", "text/csv", b"1,2\n")]
    await provider.deliver(job(html="<b>Hello</b>", to=["a@example.com", "b@example.com"], attachments=files))
    (mail,) = sink.mails
    assert (mail.sender, mail.to) == ("from@example.com", ["a@example.com", "b@example.com"])
    assert mail.message["From"] == "vpin <from@example.com>"
    assert mail.message["Message-ID"] == message_id("k", "example.com")
    body = mail.message.get_body(("html",))
    assert body is not None
    assert body.get_content().strip() == "<b>Hello</b>"
    assert [part.get_filename() for part in mail.message.iter_attachments()] == ["values.csv"]


async def test_a_connection_is_kept_for_the_next_mail(sink: Sink, provider: MailProvider) -> None:
    for n in range(3):
        await provider.deliver(job(str(n)))
    assert len(sink.mails) == 3
    assert len(sink.connections) == 1


async def test_a_connection_that_the_server_gave_up_costs_no_attempt(sink: Sink, provider: MailProvider) -> None:
    await provider.deliver(job("a"))
    await sink.hang_up()
    await provider.deliver(job("b"))
    assert len(sink.mails) == 2
    assert len(sink.connections) == 2


async def test_an_idle_connection_is_closed(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail, "IDLE_SECONDS", 0.01)
    provider = MailProvider(sink.settings())
    await provider.deliver(job("a"))
    await sink.until(lambda: not sink.open)
    await provider.deliver(job("b"))
    assert len(sink.connections) == 2
    await provider.close()


async def test_a_temporary_refusal_leaves_the_connection_in_step(sink: Sink, provider: MailProvider) -> None:
    sink.rcpt["a@example.com"] = ["451 later"]
    sink.data = ["452 full"]
    for code in (451, 452):
        with pytest.raises(Unavailable, match=str(code)):
            await provider.deliver(job())
    await provider.deliver(job())
    assert len(sink.mails) == 1
    assert len(sink.connections) == 1


async def test_a_refusal_for_good_is_told_as_such(sink: Sink, provider: MailProvider) -> None:
    sink.rcpt["a@example.com"] = ["550 <a@example.com> no such user"]
    sink.data = ["554 spam"]
    for code in (550, 554):
        with pytest.raises(Refused, match=str(code)) as refusal:
            await provider.deliver(job())
        assert "example.com" not in str(refusal.value)


async def test_receivers_that_are_taken_later_are_named(sink: Sink, provider: MailProvider) -> None:
    sink.rcpt = {"b@example.com": ["450 busy"], "c@example.com": ["550 unknown"]}
    with pytest.raises(Unavailable) as refusal:
        await provider.deliver(job(to=["a@example.com", "b@example.com", "c@example.com"]))
    assert refusal.value.to == ["b@example.com"]
    assert [mail.to for mail in sink.mails] == [["a@example.com"]]
    sink.rcpt = {"c@example.com": ["550 unknown"]}
    with pytest.raises(Refused):
        await provider.deliver(job(to=["a@example.com", "c@example.com"]))


async def test_an_international_address_is_written_to(sink: Sink, provider: MailProvider) -> None:
    await provider.deliver(job(to=["bücher@bücher.example"]))
    assert sink.mails[0].to == ["bücher@xn--bcher-kva.example"]


async def test_starttls_is_used_when_it_is_offered_and_the_certificate_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = own_certificate(tmp_path, "127.0.0.1")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    async with Sink(tls=context) as sink:
        trusting = MailProvider(sink.settings(smtp_verify=False))
        await trusting.deliver(job())
        assert sink.mails[-1].tls
        await trusting.close()
        distrusting = MailProvider(sink.settings())
        with pytest.raises(Unavailable, match="can't be reached: self-signed certificate; VPIN_SMTP_VERIFY=false"):
            await distrusting.deliver(job())
        await distrusting.close()
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        for wanted, encrypted in ((None, True), (True, True), (False, False)):
            provider = MailProvider(sink.settings(smtp_starttls=wanted))
            await provider.deliver(job())
            assert sink.mails[-1].tls == encrypted
            await provider.close()


async def test_starttls_that_is_demanded_and_not_offered_is_an_error(sink: Sink) -> None:
    provider = MailProvider(sink.settings(smtp_starttls=True))
    with pytest.raises(Unavailable):
        await provider.deliver(job())
    assert sink.mails == []


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
async def test_log_in() -> None:
    async with Sink(login=("user", "right")) as sink:
        with capture_logs() as logs:
            provider = MailProvider(sink.settings(smtp_username="user", smtp_password="right"))
            await provider.deliver(job("a"))
            await provider.deliver(job("b"))
            await provider.close()
            assert len(sink.mails) == 2
            wrong = MailProvider(sink.settings(smtp_username="user", smtp_password="wrong"))
            with pytest.raises(Unavailable, match="refuses us: 535"):
                await wrong.deliver(job())
    assert [line["event"] for line in logs] == ["mail.password_in_the_clear"]
    assert "right" not in str(logs)


async def test_a_server_that_is_away() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        provider = MailProvider(Settings(smtp_host="127.0.0.1", smtp_port=unused.getsockname()[1]))
        with pytest.raises(Unavailable, match="can't be reached"):
            await provider.deliver(job())


async def test_a_server_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail, "COMMAND_SECONDS", 0.05)
    done = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        done.set()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        provider = MailProvider(Settings(smtp_host="127.0.0.1", smtp_port=server.sockets[0].getsockname()[1]))
        with pytest.raises(Unavailable):
            await provider.deliver(job())
        await done.wait()


async def test_without_a_server_every_mail_is_refused() -> None:
    with pytest.raises(Refused, match="VPIN_SMTP_HOST"):
        await MailProvider(Settings()).deliver(job())


async def test_a_delivery_that_is_cancelled_leaves_no_connection(sink: Sink, provider: MailProvider) -> None:
    sink.gate.clear()
    delivery = asyncio.create_task(provider.deliver(job()))
    await sink.until(lambda: sink.begun == 1)
    delivery.cancel()
    await asyncio.gather(delivery, return_exceptions=True)
    sink.gate.set()
    await sink.until(lambda: not sink.open)
