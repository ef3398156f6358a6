"""E-mail addresses as this server accepts them (spec 02, 3.1)."""

from __future__ import annotations

import re

EMAIL_MAX = 255
_email = re.compile(r"[^@\s?]+@[^@\s?]+\.[^@\s?.]{2,}")


def is_email(text: str) -> bool:
    """Whether mail can go there: one @, no ?, at most 255 characters, a domain."""
    return len(text) <= EMAIL_MAX and _email.fullmatch(text) is not None
