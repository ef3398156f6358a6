"""Mails on one page, each as a mail reader shows it, and pictures of that page by a headless Chromium.

python -m mails.sheet FOLDER   writes the pictures into the folder, to look at them
"""

from __future__ import annotations

import base64
import html
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from infra.packages import need
from vpin_messages.jobs import Job

PHONE, DESKTOP = 360, 720
SECONDS = 60
_OPTIONS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"),
    *("--no-first-run", "--disable-background-networking", "--disable-extensions", "--disable-sync"),
)
_MEASURE = (Path(__file__).parent / "measure.js").read_text()


def page(mails: dict[str, Job], *, dark: bool) -> str:
    """All mails, each at the width of a phone and of a desktop. What was measured is in the element `found`."""
    scheme = "dark" if dark else "light"
    rows = [
        f'<h3>{html.escape(name)}: {html.escape(mail.subject)}</h3><div style="display:flex;gap:24px;align-items:start">'
        + "".join(_frame(f"{name} {width}", as_shown(mail), width, scheme) for width in (PHONE, DESKTOP))
        + "</div>"
        for name, mail in mails.items()
    ]
    style = (
        "body{font:14px sans-serif;background:#b8c4c2;margin:16px} h3{overflow:hidden;max-width:1100px}"
        "iframe{border:0;flex:none}"
    )
    return (
        f'<!doctype html><meta charset="utf-8"><style>{style}</style>{"".join(rows)}<pre id="found" hidden></pre>'
        f"<script>{_MEASURE}</script>"
    )


def as_shown(mail: Job) -> str:
    """The mail as a document: pictures from its attachments, or the text alone where it has no HTML."""
    if not mail.html:
        return f'<pre style="white-space:pre-wrap;font:14px/1.5 monospace">{html.escape(mail.text)}</pre>'

    def picture(match: re.Match[str]) -> str:
        (found,) = [a for a in mail.attachments if a.cid == match[1]]
        return f"data:{found.content_type};base64,{base64.b64encode(found.data).decode()}"

    return re.sub(r"cid:([^\"']+)", picture, mail.html)


def _frame(title: str, document: str, width: int, scheme: str) -> str:
    background = "#121212" if scheme == "dark" else "#ffffff"
    style = f"color-scheme:{scheme};background:{background}"
    return f'<iframe title="{title}" width="{width}" style="{style}" srcdoc="{html.escape(document)}"></iframe>'


def measure(document: str) -> dict[str, dict[str, float]]:
    """By mail and width: width and height that it takes, pictures that show and that do not, the poorest contrast."""
    shown = _chromium(document, "--dump-dom", "--virtual-time-budget=3000")
    found = re.search(r'<pre id="found"[^>]*>(.*?)</pre>', shown, re.DOTALL)
    assert found, shown[-2000:]
    return json.loads(html.unescape(found[1]))


def picture(document: str, path: Path, height: int) -> None:
    """A PNG of the page."""
    _chromium(document, f"--screenshot={path}", f"--window-size=1150,{height}", "--virtual-time-budget=3000")


def _chromium(document: str, *options: str) -> str:
    browser = need("chromium", "chromium")
    with tempfile.TemporaryDirectory(prefix="vpin-mails-") as folder:
        file = Path(folder) / "mails.html"
        file.write_text(document)
        command = [str(browser), *_OPTIONS, f"--user-data-dir={folder}/profile", *options, file.as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    if done.returncode:
        raise RuntimeError(f"chromium ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout


def main() -> None:
    from mails.samples import every_mail

    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, mail in every_mail().items():
        for scheme in ("light", "dark"):
            document = page({name: mail}, dark=scheme == "dark")
            height = 90 + max(int(found["height"]) for found in measure(document).values())
            picture(document, folder.absolute() / f"{name.replace(' ', '-')}-{scheme}.png", height)


if __name__ == "__main__":
    main()
