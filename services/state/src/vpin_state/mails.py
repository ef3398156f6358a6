"""The mails that the server writes itself: Jinja2 templates in `templates`, one job per mail (spec 02, 3.5, 11.2; 05, 1.1).

A mail with ``name.html`` and ``name.txt`` has both forms; which one is shown is the reader's choice. The greeting and those
with links to files are HTML alone, those with tokens of devices text alone, as whoever reads them expects (05, 1.1, 3.6, 4).
"""

from __future__ import annotations

import secrets
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from vpin_messages.jobs import Attachment, Job

if TYPE_CHECKING:
    from jinja2 import Environment

    from vpin_state.device import Device

NEW_PROJECT, NEW_DEVICE = "New Project", "New Device"
JPEG = "image/jpeg"
CODE = "code@vpin"
"""Content-ID of a QR code that stands in the text."""


def welcome(to: str, product: str) -> Job:
    """To a new user."""
    return _mail(to, f"Get started with {product}", html=_render("welcome.html", product=product))


def reset_link(to: str, app_name: str, product: str, host: str, token: str, picture: bytes) -> Job:
    """With the link and, in `picture` (JPEG), the QR code that lead to a new password."""
    link = f"http://{host}/restore?token={token}&email={quote(to, safe='@')}"
    words = {"product": product, "email": to, "link": link, "app_name": app_name, "code": CODE}
    return _mail(
        to,
        f"Password restoration for your {product} account.",
        text=_render("reset.txt", **words),
        html=_render("reset.html", **words),
        attachments=[Attachment("resetPassQr.jpg", JPEG, picture, CODE)],
    )


def reset_code(app_name: str, token: str, email: str) -> str:
    """What the QR code of that mail says: the app opens it."""
    return f"{app_name.lower()}://restore?token={token}&email={quote(email, safe='')}"


def reset_page(to: str, product: str, link: str) -> Job:
    """With the link to the page that takes a new password, for those who asked in a browser (spec 04, 1.10)."""
    words = {"product": product, "email": to, "link": link}
    return _mail(
        to,
        f"Password reset request for the {product} app.",
        text=_render("page.txt", **words),
        html=_render("page.html", **words),
    )


def password_changed(to: str, product: str, *, ended: bool = False) -> Job:
    """After a reset; nothing secret in it. `ended`: apps are logged out."""
    words = {"product": product, "email": to, "ended": ended}
    return _mail(
        to,
        f"Your new password on {product}",
        text=_render("changed.txt", **words),
        html=_render("changed.html", **words),
    )


def device_tokens(to: str, project: str, devices: list[Device]) -> Job:
    """The tokens of one device or of several, as plain text."""
    project = project or NEW_PROJECT
    if len(devices) == 1:
        (device,) = devices
        subject = f"Auth Token for {project} project and device {device.name or NEW_DEVICE}"
        return _mail(to, subject, text=_render("token.txt", token=device.token))
    subject = f"Auth Tokens for {project} project and {len(devices)} devices"
    named = [(device.name or NEW_DEVICE, device.token) for device in devices]
    return _mail(to, subject, text=_render("tokens.txt", devices=named))


def template_id(to: str, name: str, template: str) -> Job:
    """The id of a tile template, which goes into the board's program."""
    words = {"name": name, "template": template}
    return _mail(
        to,
        f"Template ID for {name}",
        text=_render("template.txt", **words),
        html=_render("template.html", **words),
    )


def app_details(
    to: str, app_name: str, project: str, tokens: list[tuple[str, int, int, str]], codes: list[bytes]
) -> Job:
    """The tokens (token, dashboard, device id, device name) for boards of an exported app, each with its QR code."""
    shown = [f"{n}.{CODE}" for n in range(len(tokens))]
    words = {"app_name": app_name, "project": project or NEW_PROJECT, "tokens": tokens, "codes": shown}
    table = "".join(f"{token},{device},{dash}\n" for token, dash, device, _ in tokens)
    pictures = [
        Attachment(f"{token}_{dash}_{device}.jpg", JPEG, code, cid)
        for (token, dash, device, _), code, cid in zip(tokens, codes, shown, strict=True)
    ]
    return _mail(
        to,
        f"{app_name} - App details",
        text=_render("app.txt", **words),
        html=_render("app.html", **words),
        attachments=[*pictures, Attachment("tokens.csv", "text/csv", table.encode())],
    )


def graph_data(to: str, project: str, links: list[tuple[str, str]]) -> Job:
    """Links (text, address) to the history of a graph's streams."""
    project = project or NEW_PROJECT
    html = _render("graph.html", project=project, links=links)
    return _mail(to, f"History graph data for project {project}", html=html)


def report_ready(to: list[str], kind: str, name: str, when: str, link: str) -> Job:
    """A link to a run of a report; `kind` is its period ("daily"), `when` what is known of its times ("at 09:00")."""
    name = name or "Report"
    html = _render("report.html", kind=kind.capitalize(), name=name, when=when, link=link)
    return _mail(to, f"Your {kind} {name} is ready", html=html)


def _mail(
    to: str | list[str], subject: str, *, text: str = "", html: str = "", attachments: list[Attachment] | None = None
) -> Job:
    receivers = [to] if isinstance(to, str) else to
    return Job(secrets.token_hex(16), "mail", receivers, subject, text, html, attachments or [])


def _render(file: str, /, **words: Any) -> str:
    return _templates().get_template(file).render(**words)


@cache
def _templates() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape  # slow to import, seldom needed

    return Environment(
        loader=PackageLoader("vpin_state"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
