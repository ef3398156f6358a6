"""Where notifications go: a mail server and a web server that keep what they are given."""

from __future__ import annotations

import email
import email.policy
import threading
from collections.abc import Callable
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple, TypeVar
from urllib.parse import parse_qs, urlsplit

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from infra.process import HOST, free_port

T = TypeVar("T")


class Mail(NamedTuple):
    to: str
    subject: str
    text: str


class Call(NamedTuple):
    """A request of the web server: its path, its query, its body."""

    path: str
    query: dict[str, list[str]]
    body: bytes


class Sinks:
    """Both servers; `environment` makes a vpin use them."""

    def __init__(self) -> None:
        self._mails: list[Mail] = []
        self._calls: list[Call] = []
        self._changed = threading.Condition()
        self._smtp = Controller(self, hostname=HOST, port=free_port())
        self._http = ThreadingHTTPServer((HOST, 0), self._handler())
        self.http = f"{HOST}:{self._http.server_port}"
        self.environment = {
            "VPIN_SMTP_HOST": HOST,
            "VPIN_SMTP_PORT": str(self._smtp.port),
            "VPIN_SMS_URL": f"http://{self.http}/sms",
            "VPIN_SMS_KEY": "key",
            "VPIN_NOTIFICATION_INTERVAL": "0",
        }

    def start(self) -> None:
        self._smtp.start()
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        self._smtp.stop()
        self._http.shutdown()
        self._http.server_close()

    def mails(self, to: str, *, last: str) -> list[Mail]:
        """What this address got, up to the mail with that text."""
        return self._until(lambda: [mail for mail in self._mails if mail.to == to], lambda mail: mail.text == last)

    def mails_of(self, to: str, count: int) -> list[Mail]:
        """What this address got, once it is so many."""
        found = self._until(
            lambda: [[mail for mail in self._mails if mail.to == to]], lambda mails: len(mails) >= count
        )
        return found[0]

    def calls(self, path: str) -> list[Call]:
        """The requests of that path, at least one."""
        return self._until(lambda: [call for call in self._calls if call.path == path], lambda _: True)

    def _until(self, found: Callable[[], list[T]], is_last: Callable[[T], bool]) -> list[T]:
        with self._changed:
            assert self._changed.wait_for(lambda: any(map(is_last, found())), timeout=15), found()
            return found()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        body = message.get_body(("plain", "html"))
        text = body.get_content().strip() if body else ""
        with self._changed:
            self._mails += [Mail(to, message["subject"], text) for to in envelope.rcpt_tos]
            self._changed.notify_all()
        return "250 kept"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        sinks = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                url = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                with sinks._changed:
                    sinks._calls.append(Call(url.path, parse_qs(url.query), body))
                    sinks._changed.notify_all()
                answer = b'{"messages": [{"status": "0"}]}'
                self.send_response(200)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Nothing on the tests' output."""

        return Handler
