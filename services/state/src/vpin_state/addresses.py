"""E-mail addresses as this server accepts them (spec 02, 3.1)."""

from __future__ import annotations

import re

EMAIL_MAX = 255
LOCAL_MAX = 64
_ATOM = r"""[^\s@?"<>(),:;\\\[\]\x00-\x20\x7f.]+"""
_LABEL = r"[^\W_](?:[\w-]*[^\W_])?"
_email = re.compile(rf"({_ATOM}(?:\.{_ATOM})*)@(?:{_LABEL}\.)+{_LABEL}(?<=[^.]{{2}})")


def is_email(text: str) -> bool:
    """Whether mail can go there: atoms with dots between, no ?, at most 255 characters, a domain of two labels or more."""
    found = _email.fullmatch(text) if len(text) <= EMAIL_MAX else None
    return found is not None and len(found[1]) <= LOCAL_MAX
