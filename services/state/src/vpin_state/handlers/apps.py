"""Commands 55, 56, 57 and 51: apps of one's own, and the faces that their users have (spec 02, 11.8)."""

from __future__ import annotations

import secrets
import string
from typing import TYPE_CHECKING, Any

import msgspec
from vpin_messages.tasks import Task
from vpin_protocol import Command, Status

from vpin_state import lookup, settling
from vpin_state.copies import bare_project, with_values_of
from vpin_state.errors import Refused
from vpin_state.handlers.dashboards import delete_dashboard, replace_widgets
from vpin_state.json_rules import encode, read_app
from vpin_state.questions import HandOver, UsersOf
from vpin_state.registry import APP, handles, task

if TYPE_CHECKING:
    from vpin_state.effects import Connection, Effects
    from vpin_state.model import Account, Dashboard, JsonObject
    from vpin_state.session import Session

FACE = (
    "name",
    "theme",
    "keepScreenOn",
    "isAppConnectedOn",
    "isNotificationsOff",
    "widgetBackgroundOn",
    "color",
    "isDefaultColor",
    "tags",
)
"""What a face takes over from its parent besides the widgets. Who may see it stays its owner's affair."""
ID_LETTERS = 8
NOBODYS_FACE = -1
"""`parentId` of ordinary projects."""

_decode = msgspec.json.Decoder(dict[str, Any]).decode


def apps_of(account: Account) -> list[JsonObject]:
    return account.body.get("apps", [])


def find_app(account: Account, app_id: str) -> JsonObject | None:
    return next((app for app in apps_of(account) if app["id"] == app_id), None)


def _set(account: Account, apps: list[JsonObject]) -> None:
    bare = {key: value for key, value in account.body.items() if key != "apps"}
    account.body = {**bare, "apps": apps} if apps else bare
    account.changed()


@handles(Command.CREATE_APP, APP)
def create(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`json` → the App with an id of the server's choice, under which users of the app register."""
    app = read_app(body, fx.config.widget_size_max)
    account = session.account
    if len(apps_of(account)) >= fx.config.apps_max:
        raise Refused(Status.NOT_ALLOWED)
    app["id"] = "blynk" + "".join(secrets.choice(string.ascii_lowercase) for _ in range(ID_LETTERS))
    account.set_token(app["id"], "app")
    _set(account, [*apps_of(account), app])
    fx.answer(Command.CREATE_APP, encode(app))


@handles(Command.UPDATE_APP, APP)
def update(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`json` with its id: replaces the rest."""
    app = read_app(body, fx.config.widget_size_max)
    account = session.account
    if find_app(account, app.get("id", "")) is None:
        raise Refused(Status.NOT_ALLOWED)
    _set(account, [app if other["id"] == app["id"] else other for other in apps_of(account)])
    fx.reply(Status.OK)


@handles(Command.DELETE_APP, APP)
def delete(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`app`: with its projects, unless somebody uses it."""
    account, app_id = session.account, body.decode(errors="replace")
    if find_app(account, app_id) is None:
        raise Refused(Status.NOT_ALLOWED)

    def go_on(fx: Effects, users: list[int]) -> None:
        app = find_app(account, app_id)
        if app is None or users:
            raise Refused(Status.NOT_ALLOWED)
        account.drop_token(app_id)
        _set(account, [other for other in apps_of(account) if other is not app])
        for dash in account.projects:
            if dash.id in app.get("projectIds", ()):
                delete_dashboard(fx, dash)
        fx.reply(Status.OK)

    fx.ask(UsersOf((app_id,)), go_on)


# -- faces


@handles(Command.UPDATE_FACE, APP)
def update_face(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`parentDash`: its look and its widgets go to all its faces, one's own and those of the users of one's apps."""
    account = session.account
    parent = lookup.dash(session, body)
    if parent.id == NOBODYS_FACE:
        raise Refused(Status.NOT_ALLOWED)
    faces = {dash.id for dash in _faces(account, parent.id)}
    apps = tuple(app["id"] for app in apps_of(account) if faces & set(app.get("projectIds", ())))
    if not apps:
        raise Refused(Status.NOT_ALLOWED)
    look = encode(bare_project(parent))
    for face in _faces(account, parent.id):
        _take_over(face, _decode(look), fx.now)
    account_id, fields = account.id, [str(parent.id).encode(), look]

    def tell_users(fx: Effects, users: list[int]) -> None:
        tasks = tuple((user, Task("face", fields)) for user in users if user != account_id)
        fx.ask(HandOver(tasks), lambda fx, _: fx.reply(Status.OK))

    fx.ask(UsersOf(apps), tell_users)


@task("face")
def new_face(fx: Effects, account: Account, connection: Connection, fields: list[bytes]) -> None:
    """[parent's id, its JSON]: the publisher of this account's app has changed its face: apps load anew."""
    for face in _faces(account, int(fields[0])):
        _take_over(face, _decode(fields[1]), fx.now)
    for app in account.apps:
        fx.close(app)


def _faces(account: Account, parent_id: int) -> list[Dashboard]:
    return [dash for dash in account.dashboards.values() if dash.settings.get("parentId", -1) == parent_id]


def _take_over(face: Dashboard, look: JsonObject, now: int) -> None:
    kept = {key: value for key, value in face.settings.items() if key not in FACE}
    face.settings = kept | {key: look[key] for key in FACE if key in look}
    replace_widgets(face, [with_values_of(face, json) for json in look.get("widgets", ())], now)
    settling.touch(face, now)
