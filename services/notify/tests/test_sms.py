"""SMS: the request to Vonage's API byte for byte, and what its answers mean."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from fake_http import Fake, request
from pydantic import SecretStr
from structlog.testing import capture_logs
from vpin_messages.jobs import Job
from vpin_notify.providers import Refused, Unavailable
from vpin_notify.sms import SmsProvider
from vpin_runtime.settings import Settings

pytestmark = [pytest.mark.anyio, pytest.mark.integration]
TAKEN = (200, {"message-count": "1", "messages": [{"status": "0", "message-id": "1"}]})


def verdict(status: str) -> tuple[int, object]:
    return 200, {"message-count": "1", "messages": [{"status": status, "error-text": "no"}]}


@pytest.fixture
async def gateway() -> AsyncIterator[Fake]:
    async with Fake(TAKEN) as fake:
        yield fake


@pytest.fixture
async def provider(gateway: Fake) -> AsyncIterator[SmsProvider]:
    made = SmsProvider(Settings(sms_url=f"{gateway.url}/sms/json", sms_key="K", sms_secret=SecretStr("S")))
    yield made
    await made.close()


def sms(*to: str, text: str = "Tank & pump: 50 % ü") -> Job:
    return Job("k", "sms", list(to), text=text)


async def test_the_request_is_that_of_the_api(gateway: Fake, provider: SmsProvider) -> None:
    with capture_logs() as logs:
        await provider.deliver(sms("3801234567"))
    query = "api_key=K&api_secret=S&from=Blynk&to=3801234567&text=Tank%20%26%20pump%3A%2050%20%25%20%C3%BC"
    assert gateway.requests == [request(f"POST /sms/json?{query} HTTP/1.1", gateway.address, [])]
    assert logs == []


@pytest.mark.parametrize("answer", [(401, {}), (200, b"<html>"), (200, {}), verdict("4"), verdict("6"), (0, None)])
async def test_a_verdict_for_good(gateway: Fake, provider: SmsProvider, answer: tuple[int, object]) -> None:
    gateway.answers = [answer]
    with pytest.raises(Refused):
        await provider.deliver(sms("1"))


async def test_the_gateways_reason_is_told(gateway: Fake, provider: SmsProvider) -> None:
    gateway.answers = [(200, {"messages": [{"status": "4", "error-text": "Bad Credentials" + "!" * 999}]})]
    with pytest.raises(Refused, match=r"verdict is 4: Bad Credentials!{85}$"):
        await provider.deliver(sms("1"))


@pytest.mark.parametrize("answer", [(429, {}), (503, {}), verdict("1"), verdict("5")])
async def test_a_verdict_that_passes(gateway: Fake, provider: SmsProvider, answer: tuple[int, object]) -> None:
    gateway.answers = [TAKEN, answer]
    with pytest.raises(Unavailable) as refusal:
        await provider.deliver(sms("1", "2", "3"))
    assert refusal.value.to == ["2", "3"]


async def test_without_a_gateway_or_its_key_nothing_is_delivered(provider: SmsProvider, gateway: Fake) -> None:
    with pytest.raises(Refused, match="configured"):
        await SmsProvider(Settings()).deliver(sms("1"))
    await gateway.__aexit__()
    with pytest.raises(Unavailable, match="reached"):
        await provider.deliver(sms("1"))
