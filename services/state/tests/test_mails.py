"""The mails that the server writes: forms, escaping, QR codes (spec 02, 3.5, 11.2, 11.3)."""

from __future__ import annotations

from io import BytesIO

import pytest
import segno
from PIL import Image
from vpin_messages.jobs import Job
from vpin_state import mails, qr
from vpin_state.addresses import is_email
from vpin_state.device import Device
from vpin_state.model import Account, Dashboard
from vpin_store.rows import AccountRow

EVIL = "<script>alert(1)</script>"
TOKEN = "t" * 32


def every_mail() -> list[Job]:
    picture = qr.jpeg("x")
    row = AccountRow(1, "a@example.com", "Blynk", "", "", False, False, 0, 0, 0, "", b"{}")
    board = Device(Dashboard(Account(row, {}, 0), 1, {}), 0, EVIL, TOKEN, {})
    return [
        mails.welcome("a@example.com", EVIL),
        mails.reset_link("a@example.com", EVIL, EVIL, "host:8080", TOKEN, picture),
        mails.reset_page("a@example.com", EVIL, f"http://host:8080/landing?token={TOKEN}"),
        mails.password_changed("a@example.com", EVIL),
        mails.password_changed("a@example.com", EVIL, ended=True),
        mails.device_tokens("a@example.com", EVIL, [board]),
        mails.device_tokens("a@example.com", EVIL, [board, board]),
        mails.template_id("a@example.com", EVIL, EVIL),
        mails.app_details("a@example.com", EVIL, EVIL, [(TOKEN, 1, 0, EVIL)], [picture]),
    ]


@pytest.mark.parametrize("mail", every_mail(), ids=lambda mail: mail.subject[:20])
def test_what_users_have_named_is_escaped_and_every_mail_has_a_body(mail):
    assert mail.channel == "mail"
    assert mail.to == ["a@example.com"]
    assert EVIL not in mail.html
    assert mail.html or mail.text
    if mail.html:
        assert mail.html.startswith("<!doctype html>")
        assert mail.html.rstrip().endswith("</html>")


def test_each_mail_has_a_key_of_its_own():
    assert len({mail.key for mail in every_mail()}) == len(every_mail())


def test_a_reset_mail_has_the_link_for_people_and_for_phones():
    mail = mails.reset_link("a+b@example.com", "Blynk", "Blynk", "host:8080", TOKEN, b"jpeg")
    assert f"http://host:8080/restore?token={TOKEN}&email=a%2Bb@example.com" in mail.text
    assert f'href="http://host:8080/restore?token={TOKEN}&amp;email=a%2Bb@example.com"' in mail.html
    assert (
        mails.reset_code("Blynk", TOKEN, "a+b@example.com")
        == f"blynk://restore?token={TOKEN}&email=a%2Bb%40example.com"
    )


def test_a_qr_code_is_a_square_picture_of_the_right_modules():
    text = mails.reset_code("Blynk", TOKEN, "somebody@example.com")
    picture = Image.open(BytesIO(qr.jpeg(text)))
    assert (picture.format, picture.mode, picture.size) == ("JPEG", "L", (250, 250))
    shades = picture.tobytes()
    matrix = list(segno.make(text, micro=False, error="m").matrix_iter(border=qr.BORDER))
    scale = 250 // len(matrix)
    offset = (250 - scale * len(matrix)) // 2
    for y, row in enumerate(matrix):
        for x, dark in enumerate(row):
            middle = 250 * (offset + y * scale + scale // 2) + offset + x * scale + scale // 2
            assert (shades[middle] < 128) is bool(dark), (x, y)


def test_a_long_text_has_at_least_a_pixel_per_module():
    picture = Image.open(BytesIO(qr.jpeg("x" * 2000)))
    modules = segno.make("x" * 2000, micro=False, error="m").symbol_size(border=qr.BORDER)[0]
    assert picture.size == (max(250, modules),) * 2


@pytest.mark.parametrize("text", ["a@example.com", "a+b@sub.example.org", "ä@exämple.de"])
def test_addresses(text):
    assert is_email(text)


NO_ADDRESSES = ["", "nobody", "no body@example.com", "a?b@example.com", "@example.com", "x@nowhere", "a@b@c.de"]


@pytest.mark.parametrize("text", [*NO_ADDRESSES, f"{'a' * 251}@b.de"])
def test_what_is_no_address(text):
    assert not is_email(text)
