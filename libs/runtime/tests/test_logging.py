"""Log lines: one JSON object per event, and never a secret."""

from __future__ import annotations

import json
import logging as stdlib_logging
from collections.abc import Callable
from typing import Any

import pytest
import structlog
from vpin_runtime import logging
from vpin_runtime.logging import redact


@pytest.fixture
def configured(capsys: pytest.CaptureFixture[str]):
    """Configures the logs inside the test, whose capture is not the fixture's; then gives the lines."""

    def configure() -> Callable[[], list[dict[str, Any]]]:
        logging.configure("info", as_json=True)
        return lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]

    root = stdlib_logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield configure
    structlog.reset_defaults()
    root.handlers[:], root.level = handlers, level


def test_an_event_is_one_json_line(configured):
    lines = configured()
    structlog.get_logger().info("board online", device=3)
    structlog.get_logger().debug("not shown")
    (line,) = lines()
    assert (line["event"], line["device"], line["level"]) == ("board online", 3, "info")


def test_the_standard_library_logs_the_same_way(configured):
    lines = configured()
    stdlib_logging.getLogger("some.library").warning("took %s s", 3)
    (line,) = lines()
    assert (line["event"], line["logger"], line["level"]) == ("took 3 s", "some.library", "warning")


def test_an_exception_stays_on_one_line(configured):
    lines = configured()
    try:
        raise ValueError("two\nlines")
    except ValueError:
        structlog.get_logger().exception("failed")
    (line,) = lines()
    assert "ValueError: two\nlines" in line["exception"]


def test_an_unknown_level_is_refused():
    with pytest.raises(ValueError, match="no log level"):
        logging.configure("loud")


def test_secrets_are_hidden_at_any_depth():
    event = redact(
        None,
        "info",
        {
            "token": "abc",
            "Password": "abc",
            "smtp_password": "",
            "request": {"client_secret": "abc", "id": 1, "headers": [{"Authorization": "abc"}]},
            "url": "amqp://guest:abc@127.0.0.1:5672/",
            "pin": 1,
        },
    )
    assert "abc" not in str(event)
    assert event["pin"] == 1
    assert event["smtp_password"] == ""
    assert event["url"] == "amqp://***@127.0.0.1:5672/"
