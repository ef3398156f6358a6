"""What the OpenAPI document says before its routes: which API is for whom, how to get in, what all answers have in common."""

from __future__ import annotations

from typing import Any

DESCRIPTION = """\
Read and write the pins of your boards, and manage devices and accounts, from anything that speaks HTTP.

## Which of the three?

| you want to | use | you need |
| --- | --- | --- |
| read or write a pin: a shell script, a smart home, a spreadsheet | [**pins**](#/pins): `/{token}/…` | a device's token |
| the same with several pins at once, numbers as numbers, events: what integrations of the Blynk IoT HTTPS API use | \
[**datastreams**](#/datastreams): `/external/api/…` | a device's token |
| make devices and templates, see values, history and events, watch live | [**account**](#/account): `/api/v1/…` | an account |

A pin has one value, whoever writes it: board, app or any of these APIs.

## First steps with a device's token

Every device has a *token*: 32 characters that the app shows in the device's settings. It is all that a request needs, so
treat it like a password.

    curl http://YOUR-SERVER:8080/YOUR-TOKEN/get/V5                     # ["23.4"]
    curl http://YOUR-SERVER:8080/YOUR-TOKEN/update/V1?value=1          # the board and the apps get it at once
    curl "http://YOUR-SERVER:8080/external/api/get?token=YOUR-TOKEN&V5"  # 23.4

On the `/{token}/…` routes a value is always a **list of texts**: most pins have one part, an RGB light has three.

## First steps with an account

    curl -X POST http://YOUR-SERVER:8080/api/v1/sessions -H 'content-type: application/json' \\
         -d '{"email": "anna@example.com", "password": "correct horse"}'      # {"token": "…", …}
    curl http://YOUR-SERVER:8080/api/v1/devices -H 'authorization: Bearer TOKEN-OF-THE-SESSION'
    curl -N http://YOUR-SERVER:8080/api/v1/stream -H 'authorization: Bearer TOKEN-OF-THE-SESSION'

To try routes here: run [`POST /api/v1/sessions`](#/account), press **Authorize**, and paste the `token` of the answer.
No account yet: `POST /api/v1/users` makes one.

## What all answers have in common

- A write that is answered with 2xx is stored, and the next read sees it, whoever reads.
- Errors: plain text on `/{token}/…`, `{"error": {"message": "…"}}` on `/external/api/…`, and `application/problem+json`
  (RFC 9457) on `/api/v1/…`, where `errors` of a 422 tell what is wrong and where. 429 and 503 say in `Retry-After` when to
  come again.
- `X-Request-ID` is in every answer: send your own to find it in the server's log.
- Lists of `/api/v1` come in pages: give `nextCursor` of one as `cursor` to get the next. Times are RFC 3339 in UTC. `PATCH`
  changes only what it names. A `POST` with an `Idempotency-Key` is done once, however often it is sent within 24 hours.

The document behind this page is [openapi.json](/openapi.json): generators make clients of it.
"""

TAGS: list[dict[str, Any]] = [
    {
        "name": "pins",
        "description": "**The shortest way to a pin**, with the device's token in the path. Known from Blynk server 0.41.",
    },
    {
        "name": "project",
        "description": "With the token in the path: who is online, the project, its clock, its clones.",
    },
    {"name": "history", "description": "With the token in the path: what a pin was."},
    {"name": "notifications", "description": "With the token in the path: push messages and mails in a device's name."},
    {
        "name": "datastreams",
        "description": "**The API of Blynk IoT**, with the token in the query: values by pin or datastream. Pins are *names* "
        "of parameters: `&V1` reads, `&V1=5` writes.",
    },
    {"name": "device", "description": "Blynk IoT: the device itself, its metadata, its template."},
    {"name": "iot-events", "description": "Blynk IoT: log events that the device's template defines."},
    {"name": "exports", "description": "Blynk IoT: history as files, uploads."},
    {
        "name": "account",
        "description": "**The management API begins here**: make an account, log in, log out, change the password.",
    },
    {
        "name": "templates",
        "description": "Kinds of devices. A template has *datastreams* (pins with name, type, bounds, unit) and *events*; what "
        "changes in it holds for all its devices at once.",
    },
    {"name": "devices", "description": "The devices of the account, with their tokens."},
    {"name": "values", "description": "What the pins of a device read as, and writing them."},
    {
        "name": "events",
        "description": "What devices have logged: `online` and `offline`, and events of their template.",
    },
    {"name": "live", "description": "What happens, as it happens: a stream of events for pages and scripts."},
    {"name": "firmware", "description": "Images for boards over the air. For administrators, on the TLS port."},
    {"name": "server", "description": "The server itself."},
]

TOO_MANY: dict[str, Any] = {
    "description": "Too many requests: come again after `Retry-After` seconds.",
    "headers": {"Retry-After": {"schema": {"type": "integer"}, "example": 1}},
}
NOT_CHANGED: dict[str, Any] = {"description": "What `If-None-Match` names is still what there is."}
