"""Every command of docs/migration.md and of the README's part about it does what the page says."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from infra.vpin import EmbeddedRun, clean_environment

from importing import generated

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "migration.md").read_text()
README = (ROOT / "README.md").read_text()
POINTS = {"minute": 3, "hourly": 2, "daily": 1}


def commands(text: str) -> list[str]:
    """Lines of code blocks, without comments."""
    return [line.split("  #")[0].strip() for line in text.splitlines() if re.match(r" {4,}(\w|VPIN_)", line)]


DOCUMENTED = [line for line in commands(PAGE) if not line.startswith("curl")]
IMPORTS = [line for line in commands(README) if "import-blynk" in line]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An old server's files, in place of /srv."""
    place = tmp_path_factory.mktemp("srv")
    generated.generate(place / "blynk" / "data", 2, POINTS)
    user = generated.profile(9) | {"email": "anna@example.org"}
    generated.write_profile(place / "blynk" / "data", user)
    properties = f"data.folder={place}/blynk/data\nhttp.port=8080\nsome.other=thing\n"
    (place / "blynk" / "server.properties").write_text(properties)
    return place


@pytest.fixture(scope="module")
def postgresql(postgres_server_url: str, request: pytest.FixtureRequest) -> Iterator[str]:
    from infra.database import fresh_database

    with fresh_database(postgres_server_url) as url:
        yield url


def run(line: str, place: Path, database: str) -> subprocess.CompletedProcess[str]:
    """The command as it stands there, but with other places, and `docker compose run … state` replaced by vpin."""
    line = line.replace("/srv/", f"{place}/").replace("/tmp/vpin-trial", f"{place}/trial")
    line = line.replace("postgresql://vpin:secret@localhost/vpin", database)
    words = shlex.split(line)
    environment = clean_environment(VPIN_NEW_PASSWORD="new password", VPIN_OPS="127.0.0.1:0")
    while "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        environment[name] = value
    if words[0] == "docker":
        folder = words[words.index("--volume") + 1].split(":")[0]
        words = ["vpin", *(folder if word == "/old" else word for word in words[words.index("state") + 1 :])]
        environment |= {"VPIN_DATABASE_URL": database}
    assert words[0] == "vpin"
    command = [sys.executable, "-m", "vpin", *words[1:]]
    return subprocess.run(
        command, env=environment, cwd=place, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )


def without_a_terminal(line: str) -> int:
    """What a line ends with: an import that asks, and gets no answer, has not been done."""
    return 2 if "import-blynk" in line and not ("--yes" in line or "--dry-run" in line) else 0


@pytest.mark.parametrize("line", [line for line in DOCUMENTED if "vpin run" not in line and "doctor" not in line])
def test_the_commands_work(place: Path, postgresql: str, line: str):
    if "user" in line:  # by then the data is there
        run("VPIN_DATA=/srv/vpin vpin import-blynk /srv/blynk/data --yes", place, postgresql)
    done = run(line, place, postgresql)
    assert done.returncode == without_a_terminal(line), done.stdout + done.stderr
    if "--report" in line:
        assert (place / "report.json").exists()
    if "import-blynk" in line and "--yes" in line:
        assert "3 accounts in" in done.stdout or "There was nothing to do" in done.stdout
    if "user list" in line:
        assert "anna@example.org" in done.stdout


def test_the_commands_of_the_readme_work(place: Path, postgresql: str):
    assert len(IMPORTS) == 2
    for line in IMPORTS:
        done = run(f"VPIN_DATA=/srv/readme {line}", place, postgresql)
        assert done.returncode == without_a_terminal(line), done.stdout + done.stderr


def test_without_vpin_data_the_old_folder_is_refused(place: Path, postgresql: str):
    """What the page warns of: `data.folder` of the old settings is vpin's own folder too."""
    line = "vpin import-blynk /srv/blynk/data --yes --server-properties /srv/blynk/server.properties"
    done = run(line, place, postgresql)
    assert done.returncode == 2
    assert "name another place" in done.stderr
    assert not (place / "blynk" / "data" / "vpin.db").exists()


@pytest.mark.parametrize("line", [line for line in DOCUMENTED if "vpin run" in line])
def test_vpin_runs_and_knows_the_tokens(place: Path, postgresql: str, line: str):
    """The lines that start vpin, on free ports."""
    data, *settings = line.split()
    done = run(f"{data} vpin import-blynk /srv/blynk/data --yes", place, postgresql)
    assert done.returncode == 0, done.stdout + done.stderr
    folder = data.partition("=")[2].replace("/srv", str(place)).replace("/tmp/vpin-trial", f"{place}/trial")
    environment = {"VPIN_DATA": folder}
    if "--server-properties" in settings:
        environment["VPIN_SERVER_PROPERTIES"] = settings[-1].replace("/srv", str(place))
    assert {word.partition("=")[0] for word in settings if "=" in word} <= {"VPIN_HTTP", "VPIN_TLS", "VPIN_MQTT"}
    server = EmbeddedRun(place / Path(folder).name / "run", clean_environment(**environment))
    server.start()
    try:
        (curl,) = [line for line in commands(PAGE) if line.startswith("curl")]
        path = curl.replace("curl http://localhost:8080/TOKEN", f"http://{server.http}/{generated.token(1, 1, 0)}")
        assert httpx.get(path).text == "false"
        doctor = next(line for line in DOCUMENTED if "doctor" in line)
        assert "database" in run(doctor, place, postgresql).stdout
    finally:
        server.stop()


def test_the_docker_command_fits_compose():
    (line,) = [line for line in DOCUMENTED if line.startswith("docker")]
    words = shlex.split(line)
    assert words[:4] == ["docker", "compose", "run", "--rm"]
    compose = (ROOT / "compose.yaml").read_text()
    assert re.search(r"^  state:$", compose, re.MULTILINE)
    assert "VPIN_DATABASE_URL" in compose
    assert 'ENTRYPOINT ["vpin"]' in (ROOT / "deploy" / "docker" / "Dockerfile").read_text()
    assert words[words.index("state") + 1] == "import-blynk"
