"""The mails in a real browser, on a phone and a desktop, light and dark: nothing sticks out, all can be read."""

from __future__ import annotations

import re
from functools import cache

import pytest

from mails.samples import every_mail
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


@pytest.mark.parametrize("name", MAILS)
def test_every_mail_has_a_text_that_can_be_read(name: str):
    text = MAILS[name].text
    assert text or MAILS[name].html
    assert not re.search(r"<\w|&\w+;|\{\{|None", text)
    assert "\n\n\n" not in text
