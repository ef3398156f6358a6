"""A real SMTP server that keeps what it is given, and refuses as a test says."""

from __future__ import annotations

import asyncio
import email
import email.policy
import ssl
from collections.abc import Callable
from email.message import EmailMessage
from typing import NamedTuple, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from vpin_runtime.settings import Settings

FROM = "vpin <from@example.com>"


class Mail(NamedTuple):
    sender: str
    to: list[str]
    message: EmailMessage
    tls: bool


class Sink:
    """`rcpt` and `data` hold the answers to come, one each; when they are used up, everything is taken."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, login: tuple[str, str] | None = None) -> None:
        self.mails: list[Mail] = []
        self.rcpt: dict[str, list[str]] = {}
        self.data: list[str] = []
        self.connections: set[object] = set()  # addresses that sent mail
        self.open: set[_Server] = set()
        self.changed = asyncio.Condition()
        self.begun = 0  # mails whose content has arrived
        self.gate = asyncio.Event()  # open: mails are answered
        self.gate.set()
        self._tls = tls
        self._login = login
        self._listener: asyncio.Server | None = None
        self._notices: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.get_running_loop().create_server(self._server, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        assert self._listener is not None
        self._listener.close()
        self.gate.set()
        await self.until(lambda: not self.open)

    @property
    def port(self) -> int:
        assert self._listener is not None
        return self._listener.sockets[0].getsockname()[1]

    def settings(self, **changes: object) -> Settings:
        fields: dict[str, object] = {"smtp_host": "127.0.0.1", "smtp_port": self.port, "smtp_from": FROM}
        return Settings(**fields | changes)  # type: ignore[arg-type]  # fields by name

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20), self.changed:
            await self.changed.wait_for(condition)

    async def hang_up(self) -> None:
        """Close every connection."""
        for server in self.open:
            server.hang_up()
        await self.until(lambda: not self.open)

    def notify(self) -> None:
        """Something has changed."""

        async def notice() -> None:
            async with self.changed:
                self.changed.notify_all()

        task = asyncio.create_task(notice())
        self._notices.add(task)
        task.add_done_callback(self._notices.discard)

    def _server(self) -> SMTP:
        return _Server(
            self,
            enable_SMTPUTF8=True,
            hostname="sink.example",
            tls_context=self._tls,
            authenticator=self._check if self._login else None,
            auth_required=self._login is not None,
            auth_require_tls=False,
        )

    def _check(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
        given = (data.login.decode(), data.password.decode()) if isinstance(data, LoginPassword) else None
        return AuthResult(success=given == self._login, handled=False)

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answers = self.rcpt.get(address)
        if answers:
            return answers.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.connections.add(session.peer)
        self.begun += 1
        self.notify()
        await self.gate.wait()
        if self.data:
            return self.data.pop(0)
        assert isinstance(envelope.content, bytes)
        assert envelope.mail_from is not None
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self.mails.append(Mail(envelope.mail_from, list(envelope.rcpt_tos), message, session.ssl is not None))
        self.notify()
        return "250 kept"


class _Server(SMTP):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.event_handler.open.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self.event_handler.open.discard(self)
        self.event_handler.notify()

    def hang_up(self) -> None:
        assert self.transport is not None
        self.transport.close()
