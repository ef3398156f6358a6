"""JSON merge patches: what is UNSET is left out."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET


def patch_of(**fields: Any) -> dict[str, Any]:
    """The fields that are given, by their camelCase names."""
    return {_camel(name): value for name, value in fields.items() if value is not UNSET}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
