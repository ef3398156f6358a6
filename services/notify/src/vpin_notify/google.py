"""Access tokens of a Google service account: a signed claim (RS256) is exchanged for a token that lives an hour."""

from __future__ import annotations

import asyncio
import base64
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import msgspec

from vpin_notify.http import HttpClient
from vpin_notify.providers import Refused, Unavailable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LIFE = 3600  # seconds that a claim, and so a token, is valid
SPARE = 60  # seconds before its end from which on a token is not used any more

_encode = msgspec.json.Encoder().encode


class _File(msgspec.Struct):
    """What of the account's JSON file is needed."""

    project_id: str
    private_key_id: str
    private_key: str
    client_email: str
    token_uri: str = "https://oauth2.googleapis.com/token"  # noqa: S105  an address


class _Grant(msgspec.Struct):
    access_token: str
    expires_in: int = LIFE


_decode = msgspec.json.Decoder(_Grant).decode


class GoogleAccount:
    """The account in a JSON file. Errors of the file are told as Refused, with the first use."""

    def __init__(self, file: Path, scope: str, http: HttpClient) -> None:
        self._path = file
        self._scope = scope
        self._http = http
        self._lock = asyncio.Lock()
        self._token = ""
        self._until = 0.0
        self._file: _File | None = None
        self._key: RSAPrivateKey | None = None

    @property
    def project(self) -> str:
        assert self._file is not None  # known once there was a token
        return self._file.project_id

    async def token(self) -> str:
        """A token that is valid; Refused or Unavailable where there is none to be had."""
        async with self._lock:
            if not self._token or time.time() > self._until:
                await self._renew()
            return self._token

    def forget(self) -> None:
        """The service does not take the token: get another one."""
        self._token = ""

    async def _renew(self) -> None:
        if self._file is None or self._key is None:
            self._file, self._key = await asyncio.to_thread(_load, self._path)
        now = int(time.time())
        form = urlencode({"grant_type": GRANT, "assertion": _claim(self._file, self._key, self._scope, now)})
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = await self._http.post(self._file.token_uri, form.encode(), headers)
        if answer.status != 200:
            verdict = f"no access token: the account's server answers {answer.status}"
            raise Unavailable(verdict) if answer.status >= 500 or answer.status == 429 else Refused(verdict)
        try:
            grant = _decode(answer.body)
        except msgspec.MsgspecError as error:
            raise Refused("no access token: the answer can't be read") from error
        self._token, self._until = grant.access_token, now + grant.expires_in - SPARE


def _load(path: Path) -> tuple[_File, RSAPrivateKey]:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        file = msgspec.json.decode(path.read_bytes(), type=_File)
        key = load_pem_private_key(file.private_key.encode(), password=None)
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        raise Refused(f"the service account's file can't be used: {type(error).__name__}") from error
    if not isinstance(key, RSAPrivateKey):
        raise Refused("the service account's key is no RSA key")
    return file, key


def _claim(file: _File, key: RSAPrivateKey, scope: str, now: int) -> str:
    """The signed JSON web token that asks for an access token."""
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256

    head = {"alg": "RS256", "typ": "JWT", "kid": file.private_key_id}
    claims = {"iss": file.client_email, "scope": scope, "aud": file.token_uri, "iat": now, "exp": now + LIFE}
    signed = b".".join((_base64(_encode(head)), _base64(_encode(claims))))
    return b".".join((signed, _base64(key.sign(signed, PKCS1v15(), SHA256())))).decode()


def _base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
