"""The mails in a real browser, on a phone and a desktop, light and dark: nothing sticks out, all can be read."""

from __future__ import annotations

import re
from functools import cache
from html import escape

import pytest

from mails.samples import FOREIGN_NAME, every_mail
from mails.sheet import DESKTOP, PHONE, measure, page

MAILS = every_mail()
READABLE = 4.5
"""Contrast of text that WCAG 2 asks for (AA)."""


@cache
def measured(dark: bool) -> dict[str, dict[str, float]]:
    return measure(page(MAILS, dark=dark))


@pytest.mark.integration
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_mail_fits_and_can_be_read(dark: bool):
    found = measured(dark)
    for name, mail in MAILS.items():
        for width in (PHONE, DESKTOP):
            shown = found[f"{name} {width}"]
            assert shown["width"] <= width, f"{name} sticks out: {shown}"
            assert shown["contrast"] >= READABLE, f"{name}: {shown}"
            assert shown["broken"] == 0, f"{name}: a picture does not show: {shown}"
            assert shown["pictures"] == sum(bool(a.cid) for a in mail.attachments)


def test_only_greetings_and_mails_with_links_to_files_have_no_text_and_only_those_with_tokens_no_html():
    kinds = {name.partition(" ")[2]: mail for name, mail in MAILS.items()}
    assert {kind for kind, mail in kinds.items() if not mail.text} == {"welcome", "graph", "report"}
    assert {kind for kind, mail in kinds.items() if not mail.html} == {"token", "tokens"}


@pytest.mark.parametrize("name", ["foreign app", "foreign template"])
def test_names_of_any_script_do_not_turn_the_words_around_them(name: str):
    """Each stands in an element of its own direction; what looks like HTML in it is none. (What mails with links to files
    say is given, spec 05.)"""
    html = MAILS[name].html.partition("</head>")[2].partition('class="main"')[2]
    shown = re.escape(escape(FOREIGN_NAME, quote=False))
    assert FOREIGN_NAME not in html
    assert not re.search(f"(?<!<bdi>)(?<!TMPL_){shown}", html)


@pytest.mark.parametrize("name", MAILS)
def test_every_mail_has_a_text_that_can_be_read(name: str):
    text = MAILS[name].text.replace(FOREIGN_NAME, "")  # what users have named stands there as it is
    assert text or MAILS[name].html
    assert not re.search(r"<\w|&\w+;|\{\{|None", text)
    assert "\n\n\n" not in text
