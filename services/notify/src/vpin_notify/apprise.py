"""Events to whatever Apprise speaks to: ntfy, Matrix, Telegram, Slack, … (spec 08, 3). An address is an Apprise URL.

The library is loaded with the first message (0.2 s, 25 MiB). Addresses hold keys, so what it logs is kept quiet.
"""

from __future__ import annotations

import logging
import warnings
from typing import Any

from vpin_messages.jobs import Job
from vpin_runtime.settings import Settings

from vpin_notify.providers import Refused, Unavailable

SECONDS = 10.0  # for the service to take a message
LOCAL = frozenset(("syslog", "dbus", "glib", "gnome", "kde", "qt", "macosx", "windows"))
"""Schemes that talk to this machine itself: not for accounts."""


class AppriseProvider:
    """`settings.apprise` switches it off: whoever may define events may else make this server call any address."""

    concurrency = 4

    def __init__(self, settings: Settings) -> None:
        self._on = settings.apprise
        self._asset: Any = None

    async def deliver(self, job: Job) -> None:
        """Refused for an address that is none, Unavailable where the service did not take it."""
        if not self._on:
            raise Refused("Apprise is switched off (VPIN_APPRISE)")
        for at, url in enumerate(job.to):
            target = self._target(url)
            if not await target.async_notify(body=job.text, title=job.subject):
                raise Unavailable("the service did not take the message", job.to[at:])

    def _target(self, url: str) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of what some of its services are made of
            target = self._empty()
            if url.partition(":")[0].lower() in LOCAL or not target.add(url):
                raise Refused("the address is no Apprise URL")
        return target

    def _empty(self) -> Any:
        import apprise
        from apprise.common import PersistentStoreMode

        if self._asset is None:
            logging.getLogger("apprise").setLevel(logging.CRITICAL)
            self._asset = apprise.AppriseAsset(
                storage_mode=PersistentStoreMode.MEMORY, allow_templates=False, service_timeout=SECONDS
            )
        return apprise.Apprise(asset=self._asset)

    async def close(self) -> None:
        """Nothing is kept open."""
