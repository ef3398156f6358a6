from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage

import pytest
from vpin_messages.jobs import Attachment, Job
from vpin_notify.message import build, message_id
from vpin_notify.providers import Refused

FROM = "Greenhouse <from@example.com>"


def job(**fields: object) -> Job:
    return Job(**{"key": "k1", "channel": "mail", "to": ["a@example.com"], "subject": "Hi", "text": "Hello"} | fields)  # type: ignore[arg-type]


def parsed(made: Job) -> EmailMessage:
    message = email.message_from_bytes(build(made, FROM).content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


def test_headers() -> None:
    message = parsed(job(created_at=1_795_304_400.7))
    assert message["From"] == FROM
    assert message["To"] == "a@example.com"
    assert message["Subject"] == "Hi"
    assert message["Date"].datetime.timestamp() == 1_795_304_400
    assert message["Message-ID"] == message_id("k1", "example.com")
    assert message["Auto-Submitted"] == "auto-generated"


def test_a_job_makes_the_same_message_id_each_time_and_another_job_another() -> None:
    assert message_id("k1", "example.com") == message_id("k1", "example.com") != message_id("k2", "example.com")


def test_text_alone_html_alone_and_both() -> None:
    assert parsed(job()).get_content_type() == "text/plain"
    assert parsed(job()).get_content() == "Hello\r\n"
    html = parsed(job(text="", html="<b>é</b>"))
    assert (html.get_content_type(), html.get_content_charset()) == ("text/html", "utf-8")
    assert "<b>é</b>" in html.get_content()
    both = parsed(job(html="<b>Hello</b>"))
    assert both.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in both.iter_parts()] == ["text/plain", "text/html"]
    assert parsed(job(text="")).get_content().strip() == ""


def test_attachments() -> None:
    files = [
        Attachment("v1 é.csv", "text/csv", "1,é\n".encode()),
        Attachment("x.gz", "application/x-gzip", b"\0\xff"),
        Attachment("y", "??", b"?"),
    ]
    message = parsed(job(attachments=files))
    parts = list(message.iter_attachments())
    found = {part.get_filename(): (part.get_content_type(), part.get_payload(decode=True)) for part in parts}
    assert found == {
        "v1 é.csv": ("text/csv", "1,é\n".encode()),
        "x.gz": ("application/x-gzip", b"\0\xff"),
        "y": ("application/octet-stream", b"?"),
    }


def test_a_line_break_in_the_subject_makes_no_header() -> None:
    message = parsed(job(subject="Hi\r\nBcc: victim@example.com\n"))
    assert message["Bcc"] is None
    assert message["Subject"] == "Hi Bcc: victim@example.com "


def test_long_lines_and_other_scripts_survive() -> None:
    text = "x" * 5000 + "\n.\nZażółć €\n"
    made = build(job(text=text, subject="Zażółć " * 30), FROM)
    assert made.content.isascii()
    assert max(map(len, made.content.split(b"\r\n"))) <= 998
    assert parsed(job(text=text)).get_content().replace("\r\n", "\n") == text
    assert parsed(job(subject="Zażółć " * 30))["Subject"].split() == ["Zażółć"] * 30


def test_several_receivers_each_once() -> None:
    made = build(job(to=["a@example.com", "b@example.com", "a@example.com"]), FROM)
    assert made.to == ["a@example.com", "b@example.com"]
    assert made.sender == "from@example.com"


def test_a_domain_in_another_script_needs_nothing_of_the_server_but_a_name_does() -> None:
    made = build(job(to=["a@bücher.example"]), FROM)
    assert (made.to, made.international) == (["a@xn--bcher-kva.example"], False)
    made = build(job(to=["bücher@example.com"]), FROM)
    assert (made.to, made.international) == (["bücher@example.com"], True)
    assert "bücher@example.com".encode() in made.content


@pytest.mark.parametrize(
    "address",
    [
        "",
        "a",
        "@",
        "a@",
        "@b.c",
        "a b@c.d",
        "a@b c",
        "a@b.c\r\nRCPT TO:<x@y.z>",
        "a@b@c",
        "a,b@c.d",
        "<a@b.c>",
        "a@b..c",
        "a..b@c.d",
        ".a@b.c",
        "a@-b.c",
        "a\0@b.c",
        "a@b.c" + "d" * 255,
        "a" * 65 + "@b.c",
        "a@" + "é" * 70 + ".c",
        '"a b"@c.d',
        "a@b.c,d@e.f",
    ],
)
def test_what_is_no_address_is_refused_without_telling_it(address: str) -> None:
    with pytest.raises(Refused) as refusal:
        build(job(to=[address]), FROM)
    assert str(refusal.value) == "a receiver's address is not valid"


@pytest.mark.parametrize(
    "address", ["a@localhost", "a.b+c@x-y.example", "o'neil@example.com", "a_b@sub.example.com", "1@2.example"]
)
def test_what_is_an_address_is_taken(address: str) -> None:
    assert build(job(to=[address]), FROM).to == [address]


def test_without_receiver_or_sender_there_is_no_mail() -> None:
    with pytest.raises(Refused, match="no receiver"):
        build(job(to=[]), FROM)
    with pytest.raises(Refused, match="VPIN_SMTP_FROM"):
        build(job(), "nobody")


def test_a_picture_that_the_page_shows_is_part_of_it():
    code = Attachment("code.jpg", "image/jpeg", b"\xff\xd8", "code@vpin")
    table = Attachment("t.csv", "text/csv", b"a,b")
    message = parsed(job(text="text", html='<img src="cid:code@vpin">', attachments=[table, code]))
    (related,) = [part for part in message.walk() if part.get_content_type() == "multipart/related"]
    page, picture = related.iter_parts()
    assert page.get_content_type() == "text/html"
    assert (picture["Content-ID"], picture.get_content_disposition()) == ("<code@vpin>", "inline")
    assert picture.get_filename() == "code.jpg"
    assert [part.get_filename() for part in message.iter_attachments()] == ["t.csv"]
    plain = message.get_body(("plain",))
    assert plain is not None
    assert plain.get_content().strip() == "text"


def test_without_a_page_the_picture_is_attached():
    code = Attachment("code.jpg", "image/jpeg", b"\xff\xd8", "code@vpin")
    message = parsed(job(text="text", attachments=[code]))
    assert [part.get_filename() for part in message.iter_attachments()] == ["code.jpg"]
