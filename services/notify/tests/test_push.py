"""Push: requests of both forms byte for byte, the signed claim, phones that are gone."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from fake_http import Fake, request
from pydantic import SecretStr
from vpin_messages.jobs import Job
from vpin_notify.http import HttpClient
from vpin_notify.providers import Refused, Unavailable
from vpin_notify.push import OLD_FCM, FirebaseForm, PushProvider
from vpin_runtime.settings import Settings

pytestmark = [pytest.mark.anyio, pytest.mark.integration]
TAKEN = (200, {"multicast_id": 1, "success": 1, "failure": 0, "results": [{"message_id": "1"}]})
NOT_REGISTERED = (200, {"multicast_id": 1, "success": 0, "failure": 1, "results": [{"error": "NotRegistered"}]})
UNREGISTERED = (404, {"error": {"code": 404, "status": "NOT_FOUND", "details": [{"errorCode": "UNREGISTERED"}]}})
GRANT = (200, {"access_token": "ya29.token", "expires_in": 3599, "token_type": "Bearer"})
JSON = "Content-Type: application/json; charset=utf-8"


@pytest.fixture
async def service() -> AsyncIterator[Fake]:
    async with Fake(TAKEN) as fake:
        yield fake


@pytest.fixture(scope="module")
def key() -> RSAPrivateKey:
    return generate_private_key(65537, 2048)


@pytest.fixture
def credentials(tmp_path: Path, key: RSAPrivateKey, service: Fake) -> Path:
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    file = {"type": "service_account", "project_id": "pumps", "private_key_id": "key-1", "private_key": pem}
    file |= {"client_email": "vpin@pumps.iam.gserviceaccount.com", "token_uri": f"{service.url}/token"}
    path = tmp_path / "account.json"
    path.write_text(json.dumps(file))
    return path


class Phones:
    """Who was told to be gone."""

    def __init__(self) -> None:
        self.gone: list[str] = []

    def __call__(self, job: Job, phone: str) -> None:
        self.gone.append(phone)


@pytest.fixture
def phones() -> Phones:
    return Phones()


@pytest.fixture
async def old(service: Fake, phones: Phones) -> AsyncIterator[PushProvider]:
    made = PushProvider(Settings(push_url=f"{service.url}/fcm/send", push_key=SecretStr("TESTKEY")), phones)
    yield made
    await made.close()


@pytest.fixture
async def firebase(service: Fake, phones: Phones, credentials: Path) -> AsyncIterator[PushProvider]:
    made = PushProvider(Settings(push_url=service.url, push_credentials=credentials), phones)
    yield made
    await made.close()


def push(*to: str, os: str = "android", priority: str = "normal") -> Job:
    details = {"os": os, "priority": priority, "dash": "1", "title": "vpin Notification"}
    return Job("k", "push", list(to), text="Door „open“", details=details)


@pytest.mark.parametrize(
    ("os", "rest"),
    [
        ("android", '"data":{"message":"Door „open“","dashId":1}}'),
        ("ios", '"notification":{"body":"Door „open“","dashId":1,"sound":"default","title":"vpin Notification"}}'),
    ],
)
async def test_the_old_form(service: Fake, old: PushProvider, os: str, rest: str) -> None:
    await old.deliver(push("phone", os=os, priority="high"))
    body = ('{"to":"phone","priority":"high",' + rest).encode()
    headers = ["Authorization: key=TESTKEY", JSON]
    assert service.requests == [request("POST /fcm/send HTTP/1.1", service.address, headers, body)]


@pytest.mark.parametrize(
    ("os", "rest"),
    [
        ("android", '"android":{"priority":"HIGH"},"data":{"message":"Door „open“","dashId":"1"}}}'),
        (
            "ios",
            '"notification":{"title":"vpin Notification","body":"Door „open“"},"data":{"dashId":"1"},'
            '"apns":{"headers":{"apns-priority":"10"},"payload":{"aps":{"sound":"default"}}}}}',
        ),
    ],
)
async def test_firebase(service: Fake, firebase: PushProvider, os: str, rest: str) -> None:
    service.answers = [GRANT, (200, {"name": "projects/pumps/messages/1"})]
    await firebase.deliver(push("phone", os=os, priority="high"))
    body = ('{"message":{"token":"phone",' + rest).encode()
    line = "POST /v1/projects/pumps/messages:send HTTP/1.1"
    assert service.requests[1] == request(line, service.address, ["Authorization: Bearer ya29.token", JSON], body)


@pytest.mark.parametrize("url", ["", OLD_FCM])
async def test_the_address_of_the_old_form_is_none_of_the_new_one(service: Fake, credentials: Path, url: str) -> None:
    """gcm.server of an old installation says nothing of HTTP v1."""
    service.answers = [GRANT]
    http = HttpClient()
    form = FirebaseForm(Settings(push_url=url, push_credentials=credentials), http)
    sent_to, _, _ = await form.request(push("p"), "p")
    await http.close()
    assert sent_to == "https://fcm.googleapis.com/v1/projects/pumps/messages:send"


@pytest.mark.parametrize(("priority", "android", "apns"), [("normal", "NORMAL", "5"), ("high", "HIGH", "10")])
async def test_the_priority_of_the_widget(
    service: Fake, firebase: PushProvider, priority: str, android: str, apns: str
) -> None:
    service.answers = [GRANT]
    await firebase.deliver(push("phone", priority=priority))
    await firebase.deliver(push("phone", os="ios", priority=priority))
    assert f'"android":{{"priority":"{android}"}}'.encode() in service.requests[1]
    assert f'"apns-priority":"{apns}"'.encode() in service.requests[2]


async def test_the_claim_is_signed_for_the_service(
    service: Fake, firebase: PushProvider, key: RSAPrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vpin_notify.google.time.time", lambda: 1_700_000_000.5)
    service.answers = [GRANT]
    await firebase.deliver(push("phone"))
    head, _, form = service.requests[0].partition(b"\r\n\r\n")
    assert head + b"\r\n\r\n" + form == request(
        "POST /token HTTP/1.1", service.address, ["Content-Type: application/x-www-form-urlencoded"], form
    )
    fields = parse_qs(form.decode(), strict_parsing=True)
    assert fields["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    (assertion,) = fields["assertion"]
    first, claims, signature = assertion.split(".")
    key.public_key().verify(decoded(signature), f"{first}.{claims}".encode(), PKCS1v15(), SHA256())
    assert decoded(first) == b'{"alg":"RS256","typ":"JWT","kid":"key-1"}'
    assert json.loads(decoded(claims)) == {
        "iss": "vpin@pumps.iam.gserviceaccount.com",
        "scope": "https://www.googleapis.com/auth/firebase.messaging",
        "aud": f"{service.url}/token",
        "iat": 1_700_000_000,
        "exp": 1_700_003_600,
    }


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


async def test_a_token_is_used_until_it_ends_or_is_refused(
    service: Fake, firebase: PushProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_700_000_000.0
    monkeypatch.setattr("vpin_notify.google.time.time", lambda: now)
    service.answers = [GRANT]
    for _ in range(3):
        await firebase.deliver(push("phone"))
    assert tokens(service) == 1
    now += 3590
    service.answers = [GRANT]
    await firebase.deliver(push("phone"))
    assert tokens(service) == 2
    service.answers = [(401, {}), GRANT]
    with pytest.raises(Unavailable):
        await firebase.deliver(push("phone"))
    await firebase.deliver(push("phone"))
    assert tokens(service) == 3


async def test_pushes_at_the_same_time_share_a_token(service: Fake, firebase: PushProvider) -> None:
    service.answers = [GRANT]
    await asyncio.gather(*(firebase.deliver(push(f"phone {n}")) for n in range(5)))
    assert (tokens(service), len(service.requests)) == (1, 6)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ((500, {}), Unavailable),
        ((429, {}), Unavailable),
        ((400, {"error": "invalid_grant"}), Refused),
        ((401, {}), Refused),
        ((200, {}), Refused),
        ((200, b"<html>"), Refused),
    ],
)
async def test_without_a_token_no_push_is_sent(
    service: Fake, firebase: PushProvider, answer: tuple[int, object], verdict: type[Exception]
) -> None:
    service.answers = [answer, answer]
    with pytest.raises(verdict) as refusal:
        await firebase.deliver(push("a", "b"))
    if isinstance(refusal.value, Unavailable):
        assert refusal.value.to == ["a", "b"]
    assert (tokens(service), len(service.requests)) == (2, 2)
    service.answers = [GRANT]
    await firebase.deliver(push("a", "b"))


@pytest.mark.parametrize(
    ("status", "verdict"),
    [(400, Refused), (403, Refused), (404, Refused), (401, Unavailable), (429, Unavailable), (503, Unavailable)],
)
async def test_what_answers_of_firebase_mean(
    service: Fake, firebase: PushProvider, phones: Phones, status: int, verdict: type[Exception]
) -> None:
    service.answers = [
        GRANT,
        TAKEN,
        (status, {"error": {"code": status, "status": "X"}}),
        GRANT if status == 401 else TAKEN,
    ]
    with pytest.raises(verdict) as refusal:
        await firebase.deliver(push("a", "b", "c"))
    if isinstance(refusal.value, Unavailable):
        assert refusal.value.to == ["b"]
    assert phones.gone == []
    assert [b'"token":"%s"' % phone in service.requests[-1] for phone in (b"b", b"c")] == [False, True]


def tokens(service: Fake) -> int:
    return sum(sent.startswith(b"POST /token ") for sent in service.requests)


async def test_phones_that_are_gone_are_told_and_the_others_get_it(
    service: Fake, old: PushProvider, firebase: PushProvider, phones: Phones
) -> None:
    service.answers = [NOT_REGISTERED, TAKEN]
    await old.deliver(push("a", "b"))
    service.answers = [GRANT, TAKEN, UNREGISTERED]
    await firebase.deliver(push("c", "d"))
    assert phones.gone == ["a", "d"]


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_only_those_who_did_not_get_it_are_tried_again(service: Fake, old: PushProvider, status: int) -> None:
    service.answers = [TAKEN, (status, {}), TAKEN]
    with pytest.raises(Unavailable) as refusal:
        await old.deliver(push("a", "b", "c"))
    assert refusal.value.to == ["b"]


@pytest.mark.parametrize("answer", [(400, {}), (403, {}), (200, b"<html>"), (0, None)])
async def test_what_is_refused_for_good(service: Fake, old: PushProvider, answer: tuple[int, object]) -> None:
    service.answers = [answer]
    with pytest.raises(Refused):
        await old.deliver(push("a", "b"))
    assert len(service.requests) == 2


@pytest.mark.parametrize("content", [None, "{}", "no json"])
async def test_without_a_usable_account_nothing_is_sent(tmp_path: Path, phones: Phones, content: str | None) -> None:
    file = tmp_path / "account.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(Refused, match="service account"):
        await PushProvider(Settings(push_credentials=file), phones).deliver(push("a"))
    with pytest.raises(Refused, match="configured"):
        await PushProvider(Settings(), phones).deliver(push("a"))
