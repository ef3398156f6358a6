"""Tweets: the request byte for byte, its signature, and what answers mean."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from fake_http import Fake, request
from pydantic import SecretStr
from vpin_messages.jobs import Job
from vpin_notify.providers import Refused, Unavailable
from vpin_notify.tweet import TweetProvider, signature
from vpin_runtime.settings import Settings

TEXT = "Tank & pump: 50 % ü+~"
ESCAPED = "Tank%20%26%20pump%3A%2050%20%25%20%C3%BC%2B~"


@pytest.fixture
async def service() -> AsyncIterator[Fake]:
    async with Fake() as fake:
        yield fake


@pytest.fixture
async def provider(service: Fake) -> AsyncIterator[TweetProvider]:
    url = f"{service.url}/1.1/statuses/update.json"
    made = TweetProvider(Settings(tweet_url=url, tweet_key="consumer", tweet_secret=SecretStr("hidden")))
    yield made
    await made.close()


def tweet(text: str = TEXT) -> Job:
    return Job("k", "tweet", [], text=text, details={"token": "tok/en", "secret": "sec&ret"})


def test_the_signature_of_the_services_own_example() -> None:
    fields = {
        "status": "Hello Ladies + Gentlemen, a signed OAuth request!",
        "include_entities": "true",
        "oauth_consumer_key": "xvz1evFS4wEEPTGEFPHBog",
        "oauth_nonce": "kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg",
        "oauth_signature_method": "HMAC-SHA1",
        "oauth_timestamp": "1318622958",
        "oauth_token": "370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb",
        "oauth_version": "1.0",
    }
    key = ("kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw", "LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE")
    assert signature("https://api.twitter.com/1.1/statuses/update.json", fields, *key) == "hCtSmYh+iHYCEqBWrE7C7hYmtUk="


@pytest.mark.anyio
@pytest.mark.integration
async def test_the_request_is_that_of_the_api(
    service: Fake, provider: TweetProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vpin_notify.tweet.time.time", lambda: 1_700_000_000.5)
    monkeypatch.setattr("vpin_notify.tweet.secrets.token_hex", lambda size: "ab" * size)
    await provider.deliver(tweet())
    oauth = {
        "oauth_consumer_key": "consumer",
        "oauth_nonce": "ab" * 16,
        "oauth_signature_method": "HMAC-SHA1",
        "oauth_timestamp": "1700000000",
        "oauth_token": "tok/en",
        "oauth_version": "1.0",
    }
    signed = signature(f"{service.url}/1.1/statuses/update.json", {**oauth, "status": TEXT}, "hidden", "sec&ret")
    signed = signed.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
    header = (
        f'Authorization: OAuth oauth_consumer_key="consumer", oauth_nonce="{"ab" * 16}", oauth_signature="{signed}", '
        'oauth_signature_method="HMAC-SHA1", oauth_timestamp="1700000000", oauth_token="tok%2Fen", oauth_version="1.0"'
    )
    line = f"POST /1.1/statuses/update.json?status={ESCAPED} HTTP/1.1"
    assert service.requests == [request(line, service.address, [header])]


@pytest.mark.anyio
@pytest.mark.integration
@pytest.mark.parametrize(
    ("status", "verdict"),
    [(401, Refused), (403, Refused), (404, Refused), (0, Refused), (429, Unavailable), (503, Unavailable)],
)
async def test_what_answers_mean(service: Fake, provider: TweetProvider, status: int, verdict: type[Exception]) -> None:
    service.answers = [(status, {})]
    with pytest.raises(verdict):
        await provider.deliver(tweet())


@pytest.mark.anyio
@pytest.mark.integration
async def test_without_a_service_or_its_key_nothing_is_sent(service: Fake, provider: TweetProvider) -> None:
    with pytest.raises(Refused, match="configured"):
        await TweetProvider(Settings()).deliver(tweet())
    await service.__aexit__()
    with pytest.raises(Unavailable, match="reached"):
        await provider.deliver(tweet())
