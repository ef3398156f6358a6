"""Mail by SMTP: STARTTLS, log-in or neither, connections kept for the next mail."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl

import structlog
from aiosmtplib import (
    SMTP,
    SMTPException,
    SMTPNotSupported,
    SMTPRecipientsRefused,
    SMTPResponseException,
)
from vpin_messages.jobs import Job
from vpin_runtime.settings import Settings

from vpin_notify.message import Mail, build
from vpin_notify.providers import Refused, Unavailable

IMPLICIT_TLS = 465  # the port on which TLS begins at once
COMMAND_SECONDS = 20.0  # for the connection and for each answer
MAIL_SECONDS = 60.0  # for a whole mail
IDLE_SECONDS = 30.0  # a connection is kept after a mail
GOODBYE_SECONDS = 0.5
LARGE = 256 * 1024  # bytes of attachments from which on the mail is built off the loop

log = structlog.get_logger("vpin.notify")


class MailProvider:
    """`settings.smtp_…` name the server; without one every mail is refused."""

    concurrency = 4

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._idle: dict[SMTP, asyncio.TimerHandle] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._tls: ssl.SSLContext | None = None
        self._own_name: str | None = None
        self._warned = False

    async def deliver(self, job: Job) -> None:
        if not self._settings.smtp_host:
            raise Refused("no mail server is configured (VPIN_SMTP_HOST)")
        if sum(len(attachment.data) for attachment in job.attachments) < LARGE:
            mail = build(job, self._settings.smtp_from)
        else:
            mail = await asyncio.to_thread(build, job, self._settings.smtp_from)
        try:
            async with asyncio.timeout(MAIL_SECONDS):
                await self._send(await self._connection(), mail)
        except TimeoutError as error:  # SMTPTimeoutError is one
            raise Unavailable("the mail server is too slow") from error
        except SMTPNotSupported as error:
            raise Refused("the mail server takes no international addresses") from error
        except SMTPResponseException as error:
            raise _verdict(error.code) from error
        except (SMTPException, OSError) as error:
            raise Unavailable(f"the mail server hung up: {type(error).__name__}") from error

    async def close(self) -> None:
        for connection, timer in list(self._idle.items()):
            timer.cancel()
            self._leave(connection)
        await asyncio.gather(*self._leaving, return_exceptions=True)

    async def _send(self, connection: SMTP, mail: Mail) -> None:
        in_step = False
        try:
            options = ["SMTPUTF8"] if mail.international else []
            refused, _ = await connection.sendmail(mail.sender, mail.to, mail.content, mail_options=options)
            in_step = True
            if refused:
                raise _partly({to: answer.code for to, answer in refused.items()})
        except SMTPRecipientsRefused as error:
            in_step = connection.is_connected
            raise _partly({each.recipient: each.code for each in error.recipients}) from error
        except SMTPResponseException:
            in_step = connection.is_connected
            raise
        finally:
            if in_step:
                self._keep(connection)
            else:
                connection.close()

    async def _connection(self) -> SMTP:
        """A connection that has just answered: one that was kept, or a new one."""
        while self._idle:
            connection, timer = self._idle.popitem()
            timer.cancel()
            try:
                await connection.noop()
            except (SMTPException, OSError):
                connection.close()
            except asyncio.CancelledError:
                connection.close()
                raise
            else:
                return connection
        try:
            return await self._connect()
        except SMTPResponseException as error:  # whatever the code: it is about us, not about this mail
            raise Unavailable(f"the mail server refuses us: {error.code}") from error
        except (SMTPException, OSError) as error:
            raise Unavailable(f"the mail server can't be reached: {_reason(error)}") from error

    async def _connect(self) -> SMTP:
        settings = self._settings
        if self._tls is None:
            self._tls = await asyncio.to_thread(_context, settings.smtp_verify)
            self._own_name = await asyncio.to_thread(socket.getfqdn)
        at_once = settings.smtp_port == IMPLICIT_TLS
        connection = SMTP(
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            username=settings.smtp_username or None,
            password=settings.smtp_password.get_secret_value() or None,
            use_tls=at_once,
            start_tls=False if at_once else settings.smtp_starttls,
            tls_context=self._tls,
            local_hostname=self._own_name,
            timeout=COMMAND_SECONDS,
        )
        await connection.connect()
        if settings.smtp_username and not self._warned and connection.get_transport_info("sslcontext") is None:
            self._warned = True
            log.warning("mail.password_in_the_clear", advice="let the mail server offer STARTTLS")
        return connection

    def _keep(self, connection: SMTP) -> None:
        self._idle[connection] = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._leave, connection)

    def _leave(self, connection: SMTP) -> None:
        """Say goodbye to a connection that is idle."""
        del self._idle[connection]
        task = asyncio.create_task(_quit(connection), name="mail quit")
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)


async def _quit(connection: SMTP) -> None:
    with contextlib.suppress(SMTPException, OSError):  # TimeoutError is an OSError
        await connection.quit(timeout=GOODBYE_SECONDS)
    connection.close()


def _context(verify: bool) -> ssl.SSLContext:
    """The certificate is checked, but for the server that a mail.properties names: that is always trusted (spec 06, 4)."""
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _reason(error: BaseException) -> str:
    """The kind of a fault, and what to do about a certificate."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"{cause.verify_message}; VPIN_SMTP_VERIFY=false trusts any certificate"
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__


def _verdict(code: int) -> Refused | Unavailable:
    return (Refused if 500 <= code < 600 else Unavailable)(f"the mail server answers {code}")


def _partly(refused: dict[str, int]) -> Refused | Unavailable:
    """Some or all receivers were refused: those that may be taken later are tried again, else it ends here."""
    later = [to for to, code in refused.items() if not 500 <= code < 600]
    if later:
        return Unavailable(f"the mail server takes {len(later)} receivers later: {refused[later[0]]}", later)
    return Refused(f"the mail server refuses {len(refused)} receivers: {next(iter(refused.values()))}")
