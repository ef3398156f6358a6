"""Tweets: the request of API 1.1 with an OAuth 1.0a signature, to Twitter or whoever takes the same (spec 05, 1.4).

The account to tweet for is in a job's details: token and secret, which the TWITTER widget got from the app. No IO but the post.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from urllib.parse import quote

from vpin_messages.jobs import Job
from vpin_runtime.settings import Settings

from vpin_notify.http import HttpClient
from vpin_notify.providers import Refused, Unavailable


class TweetProvider:
    """`settings.tweet_…` name the service and the consumer; without a key every tweet is refused."""

    concurrency = 4

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._http = HttpClient()

    async def deliver(self, job: Job) -> None:
        settings, details = self._settings, job.details
        if not settings.tweet_key:
            raise Refused("no tweet service is configured (VPIN_TWEET_KEY, VPIN_TWEET_SECRET)")
        oauth = {
            "oauth_consumer_key": settings.tweet_key,
            "oauth_nonce": secrets.token_hex(16),
            "oauth_signature_method": "HMAC-SHA1",
            "oauth_timestamp": str(int(time.time())),
            "oauth_token": details["token"],
            "oauth_version": "1.0",
        }
        key = (settings.tweet_secret.get_secret_value(), details["secret"])
        oauth["oauth_signature"] = signature(settings.tweet_url, oauth | {"status": job.text}, *key)
        header = ", ".join(f'{name}="{_escape(value)}"' for name, value in sorted(oauth.items()))
        url = f"{settings.tweet_url}?status={_escape(job.text)}"
        answer = await self._http.post(url, headers={"Authorization": f"OAuth {header}"})
        if answer.status != 200:
            verdict = f"the tweet service answers {answer.status}"
            raise Unavailable(verdict) if answer.status == 429 or answer.status >= 500 else Refused(verdict)

    async def close(self) -> None:
        await self._http.close()


def signature(url: str, fields: Mapping[str, str], consumer_secret: str, token_secret: str) -> str:
    """HMAC-SHA1 of a POST to `url` (without query) with these fields of query and header (RFC 5849, 3.4)."""
    pairs = sorted((_escape(name), _escape(value)) for name, value in fields.items())
    text = "&".join(("POST", _escape(url), _escape("&".join(f"{name}={value}" for name, value in pairs))))
    key = f"{_escape(consumer_secret)}&{_escape(token_secret)}"
    return base64.b64encode(hmac.digest(key.encode(), text.encode(), hashlib.sha1)).decode()


def _escape(text: str) -> str:
    return quote(text, safe="")
