"""Apps of one's own, faces, the first project of a new user, clones, flashed tokens (spec 02, 3.1, 7.6, 11.3, 11.8, 11.9)."""

from __future__ import annotations

import json
import zlib

import pytest
from vpin_messages.tasks import Task
from vpin_protocol import Command
from vpin_state import dispatch, seeding
from vpin_state.collect import collect
from vpin_store.rows import Changes, TokenRow

OK, QUOTA, ILLEGAL, NOT_ALLOWED, BAD_BODY, SERVER_ERROR, ENERGY = 200, 1, 2, 6, 11, 19, 21


def app_json(*projects, **fields):
    return {"theme": "Blynk", "provisionType": "DYNAMIC", "name": "Mine", "projectIds": list(projects), **fields}


def button(widget_id=1, pin=1, **fields):
    return {
        "type": "BUTTON",
        "id": widget_id,
        "width": 1,
        "height": 1,
        "pinType": "VIRTUAL",
        "pin": pin,
        **fields,
    }


@pytest.fixture
def publisher(world):
    """Its project 2 is a face of project 1 in an app of its own."""
    face = {"id": 2, "name": "face", "parentId": 1, "widgets": [button(value="9")]}
    boards = [{"id": i, "boardType": "ESP8266", "name": f"b{i}"} for i in (0, 1)]
    assert world.app_status(Command.CREATE_DASH, {**face, "devices": boards}) == OK
    world.json(Command.CREATE_APP, app_json(2))
    return world


def apps(world):
    return world.account.body.get("apps", [])


# -- apps


def test_an_app_gets_an_id_and_is_changed_and_deleted_with_its_projects(publisher):
    (made,) = apps(publisher)
    app_id = made["id"]
    assert app_id.startswith("blynk")
    assert len(app_id) == 13
    publisher.store()
    assert publisher.tokens[app_id].kind == "app"
    changed = app_json(2, id=app_id, name="Ours")
    assert publisher.app_status(Command.UPDATE_APP, changed) == OK
    assert apps(publisher)[0]["name"] == "Ours"
    assert publisher.app_status(Command.DELETE_APP, app_id) == OK
    publisher.store()
    assert app_id not in publisher.tokens
    assert list(publisher.account.dashboards) == [1]
    assert "apps" not in publisher.profile()


def test_an_app_with_users_is_not_deleted(publisher):
    (made,) = apps(publisher)
    publisher.users = {made["id"]: [77]}
    assert publisher.app_status(Command.DELETE_APP, made["id"]) == NOT_ALLOWED
    assert apps(publisher) == [made]
    assert 2 in publisher.account.dashboards


def test_25_apps_and_no_more(world):
    for _ in range(25):
        world.json(Command.CREATE_APP, app_json(1))
    assert world.app_status(Command.CREATE_APP, app_json(1)) == NOT_ALLOWED


@pytest.mark.parametrize("missing", ["theme", "provisionType", "name", "projectIds"])
def test_an_app_needs_all_its_parts(world, missing):
    json = app_json(1)
    del json[missing]
    assert world.app_status(Command.CREATE_APP, json) == NOT_ALLOWED


def test_bad_apps(world):
    assert world.app_status(Command.CREATE_APP) == ILLEGAL
    assert world.app_status(Command.CREATE_APP, "{") == BAD_BODY
    assert world.app_status(Command.UPDATE_APP, app_json(1)) == NOT_ALLOWED
    assert world.app_status(Command.UPDATE_APP, app_json(1, id="unknown")) == NOT_ALLOWED
    assert world.app_status(Command.DELETE_APP, "unknown") == NOT_ALLOWED


# -- the first project of a user


def user_of(publisher, other, **fields):
    """The account `other`, born of the publisher's app."""
    publisher.account.body["apps"][0].update(fields)
    tokens = iter("ABCDEFG")
    seed = seeding.seed_of(publisher.account, apps(publisher)[0]["id"], lambda: next(tokens) * 32)
    other.account.dashboards.clear()
    if seed is not None:
        other.account.body = json.loads(json.dumps({"seed": seed}))
        assert seeding.plant(other.account, other.fx.now)
    return other


def test_a_user_starts_with_a_copy_that_has_tokens_of_its_own(publisher, other):
    (dash,) = user_of(publisher, other).profile()["dashBoards"]
    assert (dash["id"], dash["parentId"], dash["name"], dash["isActive"], dash["isShared"]) == (
        1,
        1,
        "face",
        True,
        False,
    )
    assert "value" not in dash["widgets"][0]
    assert [(d["id"], d["token"]) for d in dash["devices"]] == [(0, "A" * 32)]  # no widget uses device 1
    assert other.account.body == {}
    changes = Changes()
    collect(other.account, changes)
    assert [row[:5] for row in changes.tokens] == [("A" * 32, "device", 2, 1, 0)]
    assert not seeding.plant(other.account, other.fx.now)


def test_boards_that_are_provisioned_by_hand_get_no_tokens(publisher, other):
    user = user_of(publisher, other, provisionType="STATIC")
    assert [d.token for d in user.account.dashboards[1].devices.values()] == [""]


@pytest.mark.parametrize("fields", [{"isMultiFace": True}, {"projectIds": []}, {"projectIds": [99]}])
def test_other_apps_give_nothing(publisher, other, fields):
    assert user_of(publisher, other, **fields).account.dashboards == {}
    assert seeding.seed_of(publisher.account, "unknown", str) is None


def test_devices_are_used_through_tags_selectors_and_tiles(world):
    for i in range(1, 6):
        world.add_device(i)
    world.app_status(Command.CREATE_TAG, 1, {"id": 100_000, "name": "t", "deviceIds": [2]})
    world.app_status(Command.CREATE_WIDGET, 1, button(1, deviceId=100_000))
    selector = {"type": "DEVICE_SELECTOR", "id": 200_000, "width": 1, "height": 1, "deviceIds": [3]}
    world.app_status(Command.CREATE_WIDGET, 1, selector)
    world.app_status(Command.CREATE_WIDGET, 1, {"type": "DEVICE_TILES", "id": 4, "width": 1, "height": 1})
    world.app_status(Command.CREATE_TILE_TEMPLATE, 1, 4, {"id": 1, "mode": "PAGE", "deviceIds": [4]})
    world.account.body["apps"] = [{**app_json(1), "id": "x", "isMultiFace": False}]
    seed = seeding.seed_of(world.account, "x", lambda: "t")
    assert seed is not None
    assert [d["id"] for d in seed["project"]["devices"]] == [2, 3, 4]


# -- faces


def test_a_new_face_reaches_the_own_copies_and_the_users(publisher, other):
    user = user_of(publisher, other)
    app_id = apps(publisher)[0]["id"]
    publisher.users = {app_id: [2, 3]}
    publisher.app_status(Command.CREATE_WIDGET, 1, button(1, pin=4, value="secret"))
    publisher.app_status(Command.CREATE_WIDGET, 1, button(7, pin=7))
    assert publisher.app_status(Command.UPDATE_FACE, 1) == OK
    face = publisher.profile(2)
    assert face["name"] == "test"
    assert [(w["id"], w["pin"], w.get("value")) for w in face["widgets"]] == [(1, 4, "9"), (7, 7, None)]
    assert [(account, task.name) for account, task in publisher.handed_over] == [(2, "face"), (3, "face")]
    task = publisher.handed_over[0][1]
    assert b"secret" not in task.fields[1]
    guest = user.app_session(shared=user.account.dashboards[1])
    user.account.dashboards[1].bank(0).pin(ord("v"), 1).set(b"mine", 1)
    dispatch.perform(user.fx, user.account, 0, task)
    (dash,) = user.profile()["dashBoards"]
    assert (dash["name"], dash["isActive"], dash["devices"][0]["token"]) == ("test", True, "A" * 32)
    assert [(w["id"], w.get("value")) for w in dash["widgets"]] == [(1, "mine"), (7, None)]
    assert user.app.closing
    assert guest.closing


def test_a_face_needs_a_child_in_an_app(world, publisher):
    assert publisher.app_status(Command.UPDATE_FACE, 2) == NOT_ALLOWED
    assert publisher.app_status(Command.UPDATE_FACE, 9) == ILLEGAL
    assert publisher.app_status(Command.UPDATE_FACE, "x") == ILLEGAL
    publisher.app_status(Command.UPDATE_APP, app_json(1, id=apps(publisher)[0]["id"]))
    assert publisher.app_status(Command.UPDATE_FACE, 1) == NOT_ALLOWED


def test_ordinary_projects_are_nobodys_faces(world):
    world.app_status(Command.CREATE_DASH, {"id": -1})
    world.app_status(Command.CREATE_DASH, {"id": 5, "name": "mine"})
    world.json(Command.CREATE_APP, app_json(5))
    assert world.app_status(Command.UPDATE_FACE, -1) == NOT_ALLOWED


def test_a_task_for_another_parent_changes_nothing_but_closes_nobodys_account(publisher, other):
    user = user_of(publisher, other)
    before = user.profile()
    dispatch.perform(user.fx, user.account, 0, Task("face", [b"99", b"{}"]))
    assert user.profile() == before


# -- clones


def inflate(answer):
    assert isinstance(answer, bytes), f"status {answer}"
    return json.loads(zlib.decompress(answer))


def test_a_code_keeps_the_project_as_it_was_without_secrets_and_values(world, other):
    world.app_status(Command.CREATE_WIDGET, 1, button(value="5"))
    world.app_status(Command.GET_SHARE_TOKEN, 1)
    code = world.app_status(Command.GET_CLONE_CODE, 1).decode()
    assert len(code) == 32
    world.store()
    world.app_status(Command.DELETE_WIDGET, 1, 1)
    other.tokens = world.tokens
    found = inflate(other.app_status(Command.PROJECT_BY_CLONE_CODE, code))
    assert (found["id"], found["name"], found["widgets"][0]["id"]) == (1, "test", 1)
    assert "value" not in found["widgets"][0]
    text = json.dumps(found)
    assert world.device.token not in text
    assert world.dash.settings["sharedToken"] not in text
    assert list(other.account.dashboards) == [1]


def test_a_code_makes_a_project_in_another_account(world, other):
    world.dash.settings |= {"isShared": True, "parentId": 3}
    world.app_status(Command.CREATE_WIDGET, 1, button(value="5"))
    code = world.app_status(Command.GET_CLONE_CODE, 1).decode()
    world.store()
    other.tokens = dict(world.tokens)
    made = inflate(other.app_status(Command.PROJECT_BY_CLONE_CODE, code, "new"))
    assert (made["id"], made["isShared"], made["parentId"]) == (2, False, -1)
    token = made["devices"][0]["token"]
    assert len(token) == 32
    assert token != world.device.token
    assert other.account.row.energy == 99_800
    other.store()
    assert other.tokens[token][1:5] == ("device", 2, 2, 0)


def test_a_clone_must_be_paid_and_have_room(world, other):
    world.app_status(Command.CREATE_WIDGET, 1, button())
    code = world.app_status(Command.GET_CLONE_CODE, 1).decode()
    world.store()
    other.tokens = world.tokens
    other.account.change(energy=100)
    assert other.app_status(Command.PROJECT_BY_CLONE_CODE, code, "") == ENERGY
    for i in range(2, 101):
        other.app_status(Command.CREATE_DASH, {"id": i})
    assert other.app_status(Command.PROJECT_BY_CLONE_CODE, code, "x") == QUOTA


def test_what_is_no_code(world):
    world.tokens["d" * 32] = TokenRow("d" * 32, "device", 9, 1, 0, 0, b"")
    assert world.app_status(Command.PROJECT_BY_CLONE_CODE, "x" * 32) == SERVER_ERROR
    assert world.app_status(Command.PROJECT_BY_CLONE_CODE, "d" * 32, "new") == SERVER_ERROR
    assert world.app_status(Command.GET_CLONE_CODE, 9) == ILLEGAL


# -- flashed tokens


def flash(world, **fields):
    """The job that mails fresh tokens of an app for the boards of project 1."""
    app_id = world.json(Command.CREATE_APP, app_json(1, **fields))["id"]
    world.send(world.app, Command.EMAIL_QR, 1, app_id)
    assert world.sent_to(world.app) == []
    (job,) = world.fx.jobs
    world.clear()
    world.store()
    return job


def test_the_tokens_of_an_app_are_mailed_with_their_codes(world):
    world.add_device(1)
    job = flash(world, provisionType="STATIC")
    assert (job.subject, job.to, job.answer.failed) == ("Mine - App details", ["a@example.com"], 15)
    *pictures, table = job.attachments
    rows = [line.split(",") for line in table.data.decode().splitlines()]
    assert (table.name, table.content_type) == ("tokens.csv", "text/csv")
    assert [row[1:] for row in rows] == [["0", "1"], ["1", "1"]]
    assert [(p.name, p.content_type) for p in pictures] == [(f"{t}_1_{d}.jpg", "image/jpeg") for t, d, _ in rows]
    assert pictures[0].data == b"picture of " + rows[0][0].encode()
    assert all(row[0] in job.html and row[0] in job.text for row in rows)


def test_an_app_whose_boards_are_alike_has_one_token(world):
    *_, table = flash(world).attachments
    (row,) = table.data.decode().splitlines()
    assert row.endswith(",-1,1")


def test_bad_requests_for_app_details(world):
    app_id = world.json(Command.CREATE_APP, app_json(1, provisionType="STATIC"))["id"]
    assert world.app_status(Command.EMAIL_QR, 1) == ILLEGAL
    assert world.app_status(Command.EMAIL_QR, 9, app_id) == ILLEGAL
    assert world.app_status(Command.EMAIL_QR, 1, "unknown") == BAD_BODY
    world.dash.remove_device(world.device)
    assert world.app_status(Command.EMAIL_QR, 1, app_id) == BAD_BODY


@pytest.fixture
def flashed(world, other):
    """A token that the account `world` has printed for device 0 of its project 1; `other` has got the board."""
    token = flash(world, provisionType="STATIC").attachments[-1].data.decode().split(",")[0]
    other.tokens = world.tokens
    other.published = {(1, 1): world.dash}
    return token


def test_the_project_behind_a_flashed_token(world, other, flashed):
    world.app_status(Command.CREATE_WIDGET, 1, button(value="5"))
    for answer in (
        other.app_status(Command.PROJECT_BY_TOKEN, flashed),
        other.app_status(Command.LOAD_PROFILE, flashed, 1, "a@example.com"),
    ):
        found = inflate(answer)
        assert (found["name"], "value" in found["widgets"][0], "token" in found["devices"][0]) == ("test", False, False)


def test_unknown_tokens_show_no_project(other, flashed):
    assert other.app_status(Command.PROJECT_BY_TOKEN, "x" * 32) == NOT_ALLOWED
    assert other.app_status(Command.LOAD_PROFILE, flashed, 1) == ILLEGAL
    for parts in [("x" * 32, 1, "a@example.com"), (flashed, 2, "a@example.com"), (flashed, 1, "b@example.com")]:
        assert other.app_status(Command.LOAD_PROFILE, *parts) == NOT_ALLOWED
    assert other.app_status(Command.LOAD_PROFILE, flashed, 1, "a@example.com", "OtherApp") == NOT_ALLOWED


def test_a_flashed_token_becomes_that_of_the_device_once(other, flashed):
    assert other.app_status(Command.ASSIGN_TOKEN, 1, flashed) == OK
    assert other.device.token == flashed
    other.store()
    assert other.tokens[flashed][1:5] == ("device", 2, 1, 0)
    assert other.app_status(Command.ASSIGN_TOKEN, 1, flashed) == NOT_ALLOWED
    assert isinstance(other.app_status(Command.PROJECT_BY_TOKEN, flashed), bytes)


def test_a_flashed_token_is_whose_it_was_first(world, other, flashed):
    assert world.app_status(Command.ASSIGN_TOKEN, 1, flashed) == OK
    world.store()
    other.tokens = world.tokens
    assert other.app_status(Command.ASSIGN_TOKEN, 1, flashed) == NOT_ALLOWED
    assert other.device.token != flashed


def test_a_token_that_was_claimed_before_a_crash_can_be_claimed_again(other, flashed):
    other.tokens[f"claimed {flashed}"] = TokenRow(f"claimed {flashed}", "claimed", 2, 1, 0, 0, b"")
    assert other.app_status(Command.ASSIGN_TOKEN, 1, flashed) == OK


def test_what_cannot_be_assigned(other, flashed):
    assert other.app_status(Command.ASSIGN_TOKEN, 1) == ILLEGAL
    assert other.app_status(Command.ASSIGN_TOKEN, 9, flashed) == ILLEGAL
    assert other.app_status(Command.ASSIGN_TOKEN, 1, "x" * 32) == NOT_ALLOWED
    assert other.app_status(Command.ASSIGN_TOKEN, 1, other.device.token) == NOT_ALLOWED
    other.dash.remove_device(other.device)
    assert other.app_status(Command.ASSIGN_TOKEN, 1, flashed) == NOT_ALLOWED
