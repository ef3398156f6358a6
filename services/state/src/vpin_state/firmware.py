"""Firmware over the air (spec 06, 15; 04, 1.8): boards are told where their new image is.

The campaigns of the installation are in `Effects.campaigns`, newest first; :mod:`vpin_state.campaigns` keeps them there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpin_protocol import Command

if TYPE_CHECKING:
    from vpin_store.rows import CampaignRow

    from vpin_state.config import Config
    from vpin_state.device import Device
    from vpin_state.effects import Effects
    from vpin_state.session import Session

OTA_ID = 7777
FOLDER = "/static/ota/"
HTTP_PORT = 80


def order(config: Config, name: str) -> bytes:
    """The body of command 17 that makes a board load the image of that name."""
    port = "" if config.http_port == HTTP_PORT else f":{config.http_port}"
    return f"ota\0http://{config.server_host}{port}{FOLDER}{name}".encode(errors="replace")


def offer(fx: Effects, session: Session, device: Device, build: str) -> None:
    """A board has told its build: send it the newest image that is offered to it, unless it is of that build."""
    campaign = next((campaign for campaign in fx.campaigns if _concerns(campaign, device)), None)
    if campaign is not None and campaign.build != build:
        body = order(fx.config, campaign.name)
        if len(body) <= device.body_limit:
            fx.send(session, Command.INTERNAL, OTA_ID, body)


def _concerns(campaign: CampaignRow, device: Device) -> bool:
    if campaign.account_id not in (0, device.dash.account.id):
        return False
    name: str = device.dash.settings.get("name", "")
    return not campaign.project or campaign.project.casefold() == name.casefold()
