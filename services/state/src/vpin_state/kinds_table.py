# ruff: noqa: E501  tables are read best in long lines
"""The data of the model (spec 03, 8–15 and conformance/widgets.json): enumerations, objects, widget types. No code.

Keys are written ``name type[=default]``, separated by commas. Types: ``bool int short long float double text zone board``,
the name of an enumeration or of an object below, ``[type]`` a list, ``[type?]`` a list that may hold null, ``{text}`` a map.
Numbers and booleans without a default have 0 or false; everything else without one is absent. ``!name`` is not for
everybody: public views leave it out. ``name|old`` is also read under its old name.
"""

from __future__ import annotations

ENUMS = {
    "PinType": "DIGITAL VIRTUAL ANALOG",
    "Theme": "blynk Blynk BlynkLight SparkFun AppTheme CustomTheme AppExport",
    "ProvisionType": "STATIC DYNAMIC",
    "Status": "ONLINE OFFLINE",
    "ConnectionType": "ETHERNET WI_FI USB BLUETOOTH BLE GSM",
    "FontSize": "LARGE MEDIUM SMALL AUTO",
    "TextAlignment": "LEFT RIGHT MIDDLE",
    "Edge": "ROUNDED SHARP PILL TEXT",
    "ButtonStyle": "SOLID OUTLINE",
    "GraphType": "LINE FILLED_LINE BAR BINARY",
    "LineType": "LINE DASH",
    "GoalLine": "GOAL ABOVE_GOAL BELOW_GOAL",
    "Stacking": "NO_STACKING STACK STACK_100",
    "YAxisScale": "UNSET AUTO MINMAX HEIGHT DELTA",
    "Aggregation": "MIN MAX AVG SUM MED",
    "Granularity": "MINUTE HOURLY DAILY",
    "GraphPeriod": (
        "LIVE FIFTEEN_MINUTES THIRTY_MINUTES ONE_HOUR THREE_HOURS SIX_HOURS TWELVE_HOURS DAY THREE_DAYS WEEK TWO_WEEKS MONTH"
        " THREE_MONTHS ALL N_DAY TWO_DAYS N_THREE_DAYS N_WEEK N_TWO_WEEKS N_MONTH N_THREE_MONTHS SIX_MONTHS ONE_YEAR"
    ),
    "ImageSource": "URL ALBUM PREDEFINED",
    "ImageScaling": "NONE FILL FIT",
    "SortType": "CUSTOM DEVICE_NAME_ASC DEVICE_NAME_DESC TEMPLATE_NAME_ASC TEMPLATE_NAME_DESC STATUS_CRITICAL STATUS_OK",
    "Interaction": "BUTTON PAGE STEP",
    "Method": "POST GET PUT DELETE",
    "Priority": "normal high",
    "ContentType": "TEXT_HTML TEXT_PLAIN",
    "SetPinType": "ON OFF CUSTOM",
    "ReportOutput": "EXCEL_TAB_PER_DEVICE CSV_FILE_PER_DEVICE_PER_PIN CSV_FILE_PER_DEVICE MERGED_CSV",
    "ReportFormat": "ISO_SIMPLE ISO_INSTANT ISO_INSTANT_Z TS",
    "ReportResult": "NO_DATA ERROR OK EXPIRED",
    "ReportDuration": "CUSTOM INFINITE",
    "DayOfMonth": "FIRST LAST",
    "Property": (
        "LABEL COLOR ON_BACK_COLOR OFF_BACK_COLOR ON_COLOR OFF_COLOR ON_LABEL OFF_LABEL LABELS MIN MAX IS_ON_PLAY URL URLS"
        " STEP VALUE_FORMATTING SUFFIX FRACTION OPACITY SCALE ROTATION"
    ),
}

OBJECTS = {
    "DataStream": (
        "pin short, pwmMode bool, rangeMappingOn bool, pinType PinType, value text, min float, max float, label text"
    ),
    "ButtonState": "text text, textColor int, backgroundColor int, iconName text",
    "Tab": "id int, label text",
    "Column": "name text",
    "Row": "id int, name text, value text, isSelected bool",
    "Header": "name text, value text",
    "GraphDataStream": (
        "title text, graphType GraphType, color int, targetId int, pin DataStream, functionType Aggregation, flip int, low text,"
        " high text, mathFormula text, yAxisMin float, yAxisMax float, showYAxis bool, suffix text, cubicSmoothingEnabled bool,"
        " connectMissingPointsEnabled bool, isPercentMaxMin bool, yAxisScale YAxisScale=UNSET, delta float,"
        " userDeltaModifyAllowed bool, maximumFractionDigits int"
    ),
    "Rule": ("triggerPin DataStream, triggerTime TriggerTime, condition Condition, actions [Action], isActive bool"),
    "TriggerTime": "id int, days [int], time int, tzName zone",
    "State": "tileColor int, iconName text, iconColor int, text text, textColor int",
    "Tile": "deviceId int, templateId long, iconName text, pin DataStream",
    "ReportDataStream": "pin short, pinType PinType, label text, isSelected bool",
    "Report": (
        "id int, name text, reportSources [ReportSource], reportType ReportType, recipients text, granularityType Granularity=MINUTE,"
        " isActive bool, reportOutput ReportOutput=CSV_FILE_PER_DEVICE_PER_PIN, format ReportFormat, tzName zone,"
        " nextReportAt long, lastReportAt long, lastRunResult ReportResult"
    ),
    "HardwareInfo": (
        "version text, blynkVersion text, boardType text, cpuType text, connectionType text, build text, templateId text,"
        " heartbeatInterval int, buffIn int"
    ),
    "OtaInfo": "otaInitiatedBy text, otaInitiatedAt long, otaUpdateAt long",
    "Device": (
        "id int, name text, boardType board, address text, !token text, vendor text, connectionType ConnectionType,"
        " !status Status=OFFLINE, !disconnectTime long, !connectTime long, !firstConnectTime long, !dataReceivedAt long,"
        " !lastLoggedIP text, !hardwareInfo HardwareInfo, !deviceOtaInfo OtaInfo, iconName text, isUserIcon bool"
    ),
    "Tag": "id int, name text, deviceIds [int]",
    "App": (
        "id text, theme Theme, provisionType ProvisionType, color int, isMultiFace bool, name text, icon text, projectIds [int]"
    ),
    "Dashboard": (
        "id int, parentId int=-1, isPreview bool, name text, createdAt long, updatedAt long, widgets [Widget], devices [Device],"
        " tags [Tag], theme Theme=Blynk, keepScreenOn bool, isAppConnectedOn bool, isNotificationsOff bool, isShared bool,"
        " widgetBackgroundOn bool, color int=-1, isDefaultColor bool=true, isActive bool"
    ),
    "Settings": (
        "name text, isShared bool, theme Theme=Blynk, keepScreenOn bool, isAppConnectedOn bool, isNotificationsOff bool,"
        " widgetBackgroundOn bool, color int, isDefaultColor bool"
    ),
}

_SOURCE = "deviceIds [int], reportDataStreams|dataStreams [ReportDataStream]"
_DAILY = "atTime long, durationType ReportDuration, startTs long, endTs long"
_TEMPLATE = (
    "id long, widgets [Widget], deviceIds [int], templateId text, name text, iconName text, boardType board,"
    " pin|dataStream DataStream, showDeviceName bool"
)
_PAGE = (
    "valueName text, valueFormatting text, valueSuffix text, color int, tileColor int, showTileLabel bool,"
    " maximumFractionDigits int"
)

UNIONS = {
    # name: (key that tells, what an unknown one is read as ("": refused), keys of each)
    "Condition": (
        "type",
        "",
        {
            **dict.fromkeys(("GT", "GTE", "LT", "LTE", "EQ", "NEQ"), "value double"),
            **dict.fromkeys(("BETWEEN", "NOT_BETWEEN"), "left double, right double"),
            **dict.fromkeys(("STR_EQUAL", "STR_NOT_EQUAL", "CHANGED"), "value text"),
        },
    ),
    "Action": (
        "type",
        "",
        {
            "SETPIN": "pin DataStream, value text, setPinType SetPinType",
            "SET_PROP": "pin DataStream, property Property, value text",
            "NOTIFY": "message text",
            "TWIT": "message text",
            "MAIL": "subject text, message text",
        },
    ),
    "ReportSource": ("type", "", {"DEVICE": _SOURCE, "TILE_TEMPLATE": f"templateId int, {_SOURCE}"}),
    "ReportType": (
        "type",
        "",
        {
            "ONE_TIME": "rangeMillis long",
            "DAILY": _DAILY,
            "WEEKLY": f"{_DAILY}, dayOfTheWeek int",
            "MONTHLY": f"{_DAILY}, dayOfMonth DayOfMonth=FIRST",
        },
    ),
    "TileTemplate": (
        "mode",
        "PAGE",
        {
            "PAGE": f"{_TEMPLATE}, {_PAGE}, fontSize FontSize",
            "BUTTON": f"{_TEMPLATE}, pushMode bool, labelsVisibility bool, stateOn State, stateOff State",
            "DIMMER": f"{_TEMPLATE}, {_PAGE}, levelColor int, interaction Interaction=PAGE, step float=1.0",
        },
    ),
}

COMMON = "id long, x int, y int, width int, height int, tabId int, label text, color int, isDefaultColor bool"
ONE_PIN = (
    "deviceId int, pinType PinType, pin short=-1, pwmMode bool, rangeMappingOn bool, min float, max float, value text"
)
MANY_PINS = "deviceId int, pins [DataStream?]"

_BUTTON = "onButtonState ButtonState, offButtonState ButtonState, fontSize FontSize, edge Edge, buttonStyle ButtonStyle"
_SLIDER = "sendOnReleaseOn bool, frequency int, maximumFractionDigits int, showValueOn bool=true"
_STEP = "step float, isArrowsOn bool, isLoopOn bool, isSendStep bool, frequency int, showValueOn bool=true"
_LEVEL = "frequency int, isAxisFlipOn bool, showValueOn bool=true"
_STATES = (
    "onLabel=onButtonState.text offLabel=offButtonState.text onColor=onButtonState.textColor offColor=offButtonState.textColor"
    " onBackColor=onButtonState.backgroundColor offBackColor=offButtonState.backgroundColor"
)

ONE, MANY, NONE = "one", "many", "none"
BOTH, APP, NEITHER = (True, True), (True, False), (False, False)

WIDGETS: dict[str, tuple[int, str, str, tuple[bool, bool], str, str]] = {
    # type: (price, pins, pin mode ("": none), syncs (to the app, to the device), own keys, own properties)
    "BUTTON": (
        200,
        ONE,
        "out",
        BOTH,
        "pushMode bool, onLabel text, offLabel text, fontSize FontSize",
        "onLabel offLabel",
    ),
    "STYLED_BUTTON": (300, ONE, "out", BOTH, f"pushMode bool, lockSize bool, {_BUTTON}", _STATES),
    "LINK_BUTTON": (
        500,
        NONE,
        "",
        NEITHER,
        f"url text, {_BUTTON}, lockSize bool, showAddressBar bool, showNavigationBar bool, allowInBrowser bool",
        "",
    ),
    "TEXT_INPUT": (400, ONE, "out", BOTH, "limit int, hint text, fontSize FontSize", ""),
    "NUMBER_INPUT": (400, ONE, "out", BOTH, "step float, isLoopOn bool, suffix text, fontSize FontSize", "suffix"),
    "SLIDER": (200, ONE, "out", BOTH, _SLIDER, "maximumFractionDigits"),
    "VERTICAL_SLIDER": (200, ONE, "out", BOTH, _SLIDER, "maximumFractionDigits"),
    "RGB": (400, MANY, "out", BOTH, "splitMode bool, sendOnReleaseOn bool, frequency int", ""),
    "TIMER": (
        200,
        ONE,
        "out",
        BOTH,
        "startTime int=-1, startValue text, stopTime int=-1, stopValue text, fontSize FontSize",
        "",
    ),
    "TWO_AXIS_JOYSTICK": (
        400,
        MANY,
        "out",
        BOTH,
        "split bool, autoReturnOn bool, portraitLocked bool, frequency int",
        "",
    ),
    "TERMINAL": (
        200,
        ONE,
        "",
        BOTH,
        "autoScrollOn bool, terminalInputOn bool, textLightOn bool, attachNewLine bool",
        "",
    ),
    "STEP": (500, ONE, "out", BOTH, _STEP, "step"),
    "VERTICAL_STEP": (500, ONE, "out", BOTH, _STEP, "step"),
    "QR": (200, ONE, "out", BOTH, "", ""),
    "TIME_INPUT": (
        200,
        ONE,
        "out",
        BOTH,
        "format text, days [int], startAt int=-1, stopAt int=-1, tzName zone, isStartStopAllowed bool, isDayOfWeekAllowed bool,"
        " isSunsetSunriseAllowed bool, isTimezoneAllowed bool",
        "",
    ),
    "SEGMENTED_CONTROL": (400, ONE, "out", BOTH, "labels [text], fontSize FontSize", "labels"),
    "SWITCH": (
        200,
        ONE,
        "out",
        BOTH,
        "onLabel text, offLabel text, offBackgroundColor int, onBackgroundColor int, handleColor int, fontSize FontSize",
        "onLabel offLabel",
    ),
    "LED": (100, ONE, "in", BOTH, "", ""),
    "DIGIT4_DISPLAY": (200, ONE, "in", BOTH, "frequency int, fontSize FontSize", ""),
    "LABELED_VALUE_DISPLAY": (
        400,
        ONE,
        "in",
        BOTH,
        "frequency int, textAlignment TextAlignment, valueFormatting text, fontSize FontSize",
        "valueFormatting",
    ),
    "GAUGE": (300, ONE, "in", BOTH, "frequency int, valueFormatting text, fontSize FontSize", "valueFormatting"),
    "LCD": (
        400,
        MANY,
        "in",
        APP,
        "advancedMode bool, textFormatLine1 text, textFormatLine2 text, textLight bool, frequency int",
        "",
    ),
    "LEVEL_DISPLAY": (200, ONE, "in", BOTH, _LEVEL, ""),
    "VERTICAL_LEVEL_DISPLAY": (200, ONE, "in", BOTH, _LEVEL, ""),
    "VIDEO": (500, ONE, "", NEITHER, "url text, forceTCP bool", "url"),
    "ENHANCED_GRAPH": (
        900,
        NONE,
        "",
        NEITHER,
        "dataStreams [GraphDataStream], period GraphPeriod, textAlignment TextAlignment, fontSize FontSize, stacking Stacking,"
        " showTitle bool, showLegend bool, yAxisValues bool, xAxisValues bool, showXAxis bool, allowFullScreen bool,"
        " overrideYAxis bool, hideGradient bool, yAxisMin float, yAxisMax float, isPercentMaxMin bool, goalText text,"
        " goalLine GoalLine, lineType LineType,"
        " selectedPeriods [GraphPeriod]=LIVE ONE_HOUR SIX_HOURS N_DAY N_WEEK N_MONTH N_THREE_MONTHS",
        "",
    ),
    "GPS_TRIGGER": (
        500,
        ONE,
        "out",
        APP,
        "triggerOnEnter bool, triggerLat float, triggerLon float, triggerRadius int, accuracy int",
        "",
    ),
    "GPS_STREAMING": (500, ONE, "out", APP, "frequency int, accuracy int, interval long", ""),
    "LIGHT": (300, ONE, "out", APP, "frequency int", ""),
    "PROXIMITY": (300, ONE, "out", APP, "frequency int", ""),
    "TEMPERATURE": (300, ONE, "out", APP, "frequency int, isCelsius bool", ""),
    "ACCELEROMETER": (400, ONE, "out", APP, "frequency int", ""),
    "GRAVITY": (300, ONE, "out", APP, "frequency int", ""),
    "BAROMETER": (300, ONE, "out", APP, "frequency int", ""),
    "HUMIDITY": (300, ONE, "out", APP, "frequency int", ""),
    "TWITTER": (0, NONE, "", NEITHER, "!token text, !secret text, !username text", ""),
    "EMAIL": (100, NONE, "", NEITHER, "to text, contentType ContentType=TEXT_HTML", ""),
    "NOTIFICATION": (
        400,
        NONE,
        "",
        NEITHER,
        "!androidTokens {text}, !iOSTokens {text}, notifyWhenOffline bool, notifyWhenOfflineIgnorePeriod int,"
        " priority Priority=normal, soundUri text",
        "",
    ),
    "SMS": (100, NONE, "", NEITHER, "to text", ""),
    "MENU": (
        400,
        ONE,
        "out",
        BOTH,
        "labels [text], hint text, alignment TextAlignment, fontSize FontSize, iconColor int",
        "labels",
    ),
    "TABS": (
        0,
        NONE,
        "",
        NEITHER,
        "tabId int=-1, tabs [Tab], activeTxtColor int, underlineColor int, textColor int",
        "",
    ),
    "PLAYER": (400, ONE, "out", BOTH, "isOnPlay bool", "isOnPlay"),
    "TABLE": (
        800,
        ONE,
        "out",
        APP,
        "columns [Column], rows [Row], currentRowIndex int, isReoderingAllowed bool, isClickableRows bool",
        "",
    ),
    "IMAGE": (
        600,
        ONE,
        "in",
        BOTH,
        "source ImageSource, scaling ImageScaling, urls [text], opacity int, scale int, rotation int",
        "opacity scale rotation urls url=urls",
    ),
    "REPORT": (
        0,
        NONE,
        "",
        NEITHER,
        "reportSources [ReportSource], allowEndUserToDeleteDataOn bool, fontSize FontSize=MEDIUM, edge Edge=ROUNDED,"
        " buttonStyle ButtonStyle=SOLID, textColor int",
        "",
    ),
    "TEXT": (100, NONE, "", NEITHER, "textSize FontSize=AUTO, alignment TextAlignment, text text", ""),
    "DEVICE_SELECTOR": (
        1900,
        NONE,
        "",
        NEITHER,
        "value int, deviceIds [int], fontSize FontSize, iconColor int, showIcon bool, hint text",
        "",
    ),
    "DEVICE_TILES": (
        1700,
        NONE,
        "",
        NEITHER,
        "templates [TileTemplate], tiles [Tile], rows int, columns int, sortType SortType, alignment TextAlignment=LEFT,"
        " disableWhenOffline bool, stretchToBottom bool",
        "",
    ),
    "RTC": (100, NONE, "", NEITHER, "tzName zone", ""),
    "BRIDGE": (100, NONE, "", NEITHER, "", ""),
    "BLUETOOTH": (0, NONE, "", NEITHER, "name text, deviceId int", ""),
    "BLUETOOTH_SERIAL": (0, NONE, "", NEITHER, "name text, deviceId int", ""),
    "EVENTOR": (500, NONE, "", NEITHER, "rules [Rule], deviceId int, width int=2, height int=1", ""),
    "MAP": (
        600,
        ONE,
        "in",
        APP,
        "isPinToLatestPoint bool, isMyLocationSupported bool, isSatelliteMode bool, labelFormat text, radius int, lat float,"
        " lon float",
        "",
    ),
    "WEBHOOK": (500, ONE, "", NEITHER, "url text, method Method=GET, headers [Header], body text", ""),
}

PROPERTIES = {
    # name on the wire: (how its value is read, name in the JSON of eventor rules)
    "label": ("text", "LABEL"),
    "color": ("color", "COLOR"),
    "onBackColor": ("color", "ON_BACK_COLOR"),
    "offBackColor": ("color", "OFF_BACK_COLOR"),
    "onColor": ("color", "ON_COLOR"),
    "offColor": ("color", "OFF_COLOR"),
    "onLabel": ("text", "ON_LABEL"),
    "offLabel": ("text", "OFF_LABEL"),
    "labels": ("list", "LABELS"),
    "min": ("float", "MIN"),
    "max": ("float", "MAX"),
    "isOnPlay": ("bool", "IS_ON_PLAY"),
    "url": ("text", "URL"),
    "urls": ("list", "URLS"),
    "step": ("float", "STEP"),
    "valueFormatting": ("text", "VALUE_FORMATTING"),
    "suffix": ("text", "SUFFIX"),
    "maximumFractionDigits": ("int", "FRACTION"),
    "opacity": ("int", "OPACITY"),
    "scale": ("int", "SCALE"),
    "rotation": ("int", "ROTATION"),
}

BOARDS = (
    "ESP8266;Arduino UNO;NodeMCU;Raspberry Pi 3 B;WeMos D1 mini;Arduino Nano;Arduino Mega;ESP32 Dev Board;WeMos D1;Generic Board;"
    "Raspberry Pi 2/A+/B+;Particle Photon;Arduino MKR1000;Arduino 101;Arduino Yun;Raspberry Pi A/B (Rev2);Arduino Pro Mini;"
    "Arduino Leonardo;Raspberry Pi B (Rev1);Arduino Due;SparkFun Blynk Board;Orange Pi;BBC Micro:bit;Arduino Mini;Arduino Micro;"
    "Onion Omega;Arduino Pro Micro;Particle Core;SparkFun ESP8266 Thing;STM32F103C Blue Pill;WiPy;Particle Electron;Arduino Zero;"
    "Intel Edison;Teensy 3;LinkIt ONE;NanoPi;LightBlue Bean;Intel Galileo;RedBearLab BLE Nano;RedBear Duo;TI CC3200-LaunchXL;"
    "Digistump Oak;Seeed Wio Link;TI Tiva C Connected;Samsung ARTIK 5;Microduino CoreUSB;Espruino Pico;TinyDuino;Microduino Core+;"
    "chipKIT Uno32;The AirBoard;Microduino Core;Simblee;LeMaker Banana Pro;Wildfire v2;LightBlue Bean+;SparkFun Photon RedBoard;"
    "Microduino CoreRF;RedBearLab CC3200/Mini;Bluz;LeMaker Guitar;panStamp esp-output;Digistump Digispark;RedBearLab Blend Micro;"
    "TI LM4F120 LaunchPad;Wildfire v3;Wildfire v4;Konekt Dash Pro"
)

RENAMED_ZONES = {"Canada/East-Saskatchewan": "America/Regina", "Asia/Hanoi": "Asia/Ho_Chi_Minh"}
