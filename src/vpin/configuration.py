"""What `vpin config` shows: every setting in force, where it came from, secrets masked."""

from __future__ import annotations

from typing import NamedTuple

from pydantic import SecretStr
from vpin_runtime.logging import redact
from vpin_runtime.settings import Settings, source_of


class Line(NamedTuple):
    variable: str
    value: str
    source: str
    description: str


def in_force(settings: Settings) -> list[Line]:
    lines: list[Line] = []
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        shown = _masked(value) if isinstance(value, SecretStr) else str(redact(None, "", {"value": value})["value"])
        shown = "" if value is None else shown
        lines.append(Line(f"VPIN_{name.upper()}", shown, source_of(settings, name), field.description or ""))
    return lines


def _masked(secret: SecretStr) -> str:
    return "***" if secret.get_secret_value() else ""
