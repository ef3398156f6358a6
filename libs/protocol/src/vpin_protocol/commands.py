"""The numbers on the wire: commands and response codes (spec 01, section 2).

Devices and apps give some numbers different meanings; the device's name is then an alias (GROUP, DEBUG_PRINT,
EVENT_CLEAR). 52…54 and 82…94 count things in the old product's statistics and never travel; 95…99 are unassigned.
"""

from __future__ import annotations

from enum import IntEnum


class Command(IntEnum):
    RESPONSE = 0
    REGISTER = 1
    LOGIN = 2
    REDEEM = 3
    HARDWARE_CONNECTED = 4
    GET_TOKEN = 5  # gone; ignored
    PING = 6
    ACTIVATE = 7
    DEACTIVATE = 8
    REFRESH_TOKEN = 9
    LEGACY_GET_GRAPH = 10  # ignored
    LEGACY_GRAPH = 11  # ignored
    TWEET = 12
    EMAIL = 13
    PUSH = 14
    BRIDGE = 15
    HARDWARE_SYNC = 16
    INTERNAL = 17
    SMS = 18
    SET_PROPERTY = 19
    HARDWARE = 20
    CREATE_DASH = 21
    GROUP = 21  # device → server, new libraries
    UPDATE_DASH = 22
    DELETE_DASH = 23
    LOAD_PROFILE = 24
    APP_SYNC = 25
    SHARING = 26
    ADD_PUSH_TOKEN = 27
    EXPORT_GRAPH = 28
    HARDWARE_LOGIN = 29
    GET_SHARE_TOKEN = 30
    REFRESH_SHARE_TOKEN = 31
    SHARE_LOGIN = 32
    CREATE_WIDGET = 33
    UPDATE_WIDGET = 34
    DELETE_WIDGET = 35
    GET_ENERGY = 36
    ADD_ENERGY = 37
    UPDATE_SETTINGS = 38
    ASSIGN_TOKEN = 39
    GET_SERVER = 40
    REDIRECT = 41
    CREATE_DEVICE = 42
    UPDATE_DEVICE = 43
    DELETE_DEVICE = 44
    GET_DEVICES = 45
    CREATE_TAG = 46
    UPDATE_TAG = 47
    DELETE_TAG = 48
    GET_TAGS = 49
    GET_DEVICE = 50
    UPDATE_FACE = 51
    CREATE_APP = 55
    DEBUG_PRINT = 55  # server → device, new libraries
    UPDATE_APP = 56
    DELETE_APP = 57
    PROJECT_BY_TOKEN = 58
    EMAIL_QR = 59
    GET_GRAPH = 60
    DELETE_GRAPH = 61
    GET_CLONE_CODE = 62
    PROJECT_BY_CLONE_CODE = 63
    LOG_EVENT = 64
    BLUETOOTH_RESEND = 65
    EVENT_CLEAR = 65  # device → server, new libraries
    LOGOUT = 66
    CREATE_TILE_TEMPLATE = 67
    UPDATE_TILE_TEMPLATE = 68
    DELETE_TILE_TEMPLATE = 69
    GET_WIDGET = 70
    DEVICE_OFFLINE = 71
    OUTDATED_APP = 72
    TRACK_DEVICE = 73  # unused; ignored
    PROVISION_TOKEN = 74
    RESOLVE_EVENT = 75  # unused; ignored
    DELETE_DEVICE_DATA = 76
    CREATE_REPORT = 77
    UPDATE_REPORT = 78
    DELETE_REPORT = 79
    EXPORT_REPORT = 80
    RESET_PASSWORD = 81


class Status(IntEnum):
    """Response codes: the status field of command 0."""

    QUOTA_LIMIT = 1
    ILLEGAL_COMMAND = 2
    NOT_REGISTERED = 3
    ALREADY_REGISTERED = 4
    NOT_AUTHENTICATED = 5
    NOT_ALLOWED = 6
    DEVICE_NOT_IN_NETWORK = 7
    NO_ACTIVE_DASHBOARD = 8
    INVALID_TOKEN = 9
    ILLEGAL_COMMAND_BODY = 11
    GRAPH_DATA_ERROR = 12  # legacy, not sent
    NOTIFICATION_INVALID_BODY = 13
    NOTIFICATION_NOT_AUTHORIZED = 14
    NOTIFICATION_ERROR = 15
    TIMEOUT = 16  # client side only
    NO_DATA = 17
    DEVICE_WENT_OFFLINE = 18  # legacy, replaced by DEVICE_OFFLINE
    SERVER_ERROR = 19
    UNSUPPORTED_VERSION = 20  # legacy
    ENERGY_LIMIT = 21
    FACEBOOK_USER = 22
    OPERATION_ACCEPTED = 23  # from devices
    OPERATION_DECLINED = 24  # from devices
    OK = 200
