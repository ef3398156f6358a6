"""Database URLs: which database they mean, and what SQLAlchemy calls it."""

from __future__ import annotations

from pathlib import Path


def sqlite_path(url: str) -> Path | None:
    """The file of a SQLite URL, None for PostgreSQL; ValueError for anything else."""
    scheme, separator, rest = url.partition("://")
    match scheme.partition("+")[0] if separator else "":
        case "postgresql" | "postgres":
            return None
        case "sqlite" if rest.startswith("/") and len(rest) > 1 and rest != "/:memory:":
            return Path(rest[1:])
        case _:
            raise ValueError("a database URL is postgresql://user:password@host:port/name or sqlite:///path/of/a/file")


def postgres_dsn(url: str) -> str:
    """The URL as asyncpg takes it, without a driver's name."""
    return "postgresql://" + url.partition("://")[2]


def sqlalchemy_url(url: str) -> str:
    path = sqlite_path(url)
    return f"sqlite+aiosqlite:///{path}" if path is not None else "postgresql+asyncpg://" + url.partition("://")[2]
