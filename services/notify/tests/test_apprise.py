"""Messages by Apprise: to a service that takes JSON, and what happens where there is none."""

from __future__ import annotations

import json

import pytest
from fake_http import Fake
from vpin_messages.jobs import Job
from vpin_notify.apprise import AppriseProvider
from vpin_notify.providers import Refused, Unavailable
from vpin_runtime.settings import Settings

pytestmark = [pytest.mark.anyio, pytest.mark.integration]


def job(*to: str) -> Job:
    return Job("k", "apprise", list(to), "Pump: Too hot", "31 °C")


async def test_a_service_is_told_title_and_text() -> None:
    async with Fake() as fake:
        await AppriseProvider(Settings()).deliver(job(fake.url.replace("http://", "json://")))
        (request,) = fake.requests
        told = json.loads(request.partition(b"\r\n\r\n")[2])
        assert (told["title"], told["message"]) == ("Pump: Too hot", "31 °C")


async def test_who_has_not_got_it_is_tried_again() -> None:
    async with Fake((500, {})) as fake:
        fake.answers = [(200, {})]
        url = fake.url.replace("http://", "json://")
        with pytest.raises(Unavailable) as caught:
            await AppriseProvider(Settings()).deliver(job(url, f"{url}/second", f"{url}/third"))
        assert caught.value.to == [f"{url}/second", f"{url}/third"]


@pytest.mark.parametrize("url", ["nonsense", "none://x", "syslog://", "SYSLOG://", ""])
async def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(Refused):
        await AppriseProvider(Settings()).deliver(job(url))


async def test_it_can_be_switched_off() -> None:
    with pytest.raises(Refused, match="VPIN_APPRISE"):
        await AppriseProvider(Settings(apprise=False)).deliver(job("json://127.0.0.1"))
