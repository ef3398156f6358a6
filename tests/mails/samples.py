"""Every mail that the server writes, with words of usual and of the greatest length, and of other scripts."""

from __future__ import annotations

from vpin_messages.jobs import Job
from vpin_state import mails, qr
from vpin_state.device import Device
from vpin_state.model import Account, Dashboard
from vpin_store.rows import AccountRow

TOKEN = "Vq3-2mN8xT_k5LwZ9yB1cD4eF7gH0jKa"
LONG_EMAIL = "bartholomäus.wolfeschlegelsteinhausenbergerdorff@gewächshaus-automation.example.org"
LONG_NAME = "Greenhouse-behind-the-old-railway-station-with-sprinklers-and-lamps"
HOST = "vpin.example.org"
FOREIGN_EMAIL = "анна@теплица.example.org"
FOREIGN_PRODUCT = "Теплица"
FOREIGN_NAME = "温室 & مشتل <b>теплица</b> 🌱"
"""Scripts of three directions, what looks like HTML, and a character beyond 16 bits."""


def every_mail() -> dict[str, Job]:
    """By a name for the test."""
    return {
        **{
            f"usual {name}": mail for name, mail in _mails("anna@example.org", "Blynk", "vpin", "Greenhouse", 3).items()
        },
        **{f"long {name}": mail for name, mail in _mails(LONG_EMAIL, "b" * 32, LONG_NAME, LONG_NAME * 2, 12).items()},
        **{
            f"foreign {name}": mail
            for name, mail in _mails(FOREIGN_EMAIL, "blynkqwe", FOREIGN_PRODUCT, FOREIGN_NAME, 2).items()
        },
    }


def _mails(to: str, app_name: str, product: str, name: str, boards: int) -> dict[str, Job]:
    row = AccountRow(1, to, app_name, "", "", False, False, 0, 0, 0, "", b"{}")
    dash = Dashboard(Account(row, {}, 0), 1, {})
    devices = [Device(dash, n, f"{name} {n}", TOKEN, {}) for n in range(boards)]
    code = qr.jpeg(mails.reset_code(app_name, TOKEN, to))
    tokens = [(f"{n}{TOKEN[1:]}", 1, n, f"{name} {n}") for n in range(boards)]
    links = [(f"{name} V{n}", f"http://{HOST}:8080/{TOKEN * 3}_{n}.csv.gz") for n in range(boards)]
    return {
        "welcome": mails.welcome(to, product),
        "reset": mails.reset_link(to, app_name, product, HOST, TOKEN, code),
        "page": mails.reset_page(to, product, f"http://{HOST}:8080/landing?token={TOKEN * 2}"),
        "changed": mails.password_changed(to, product),
        "token": mails.device_tokens(to, name, devices[:1]),
        "tokens": mails.device_tokens(to, name, devices),
        "template": mails.template_id(to, name, f"TMPL_{name}"),
        "app": mails.app_details(to, name, name, tokens, [qr.jpeg(token) for token, *_ in tokens]),
        "graph": mails.graph_data(to, name, links),
        "report": mails.report_ready([to], "daily", name, " at 09:00", links[0][1]),
    }
