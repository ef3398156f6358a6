"""What a private engine needs and an image registry would give: Docker's plugins, base images, the means to build.

All of it comes out of `RELEASE` of Debian, in a debootstrap folder. The mirror is the one of this machine's apt.
"""

from __future__ import annotations

import configparser
import os
import shutil
from pathlib import Path

from .engine import Engine, open_files
from .shell import CheckError, Environment, output, say, succeeds

RELEASE = "trixie"
DEBIAN = f"vpin-check/debian:{RELEASE}"
STANDINS = ("python", "rabbitmq", "postgres", "haproxy")
PIP_SETTINGS = {"index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "default-timeout", "retries"}
CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"


def provide(engine: Engine, repository: Path) -> Environment:
    """Make the stand-ins of `standins.Dockerfile`; returns the environment that `check.override.yaml` needs."""
    plugins = Path(engine.environment["DOCKER_CONFIG"]) / "cli-plugins"
    have_plugins = all((plugins / f"docker-{name}").exists() for name in ("compose", "buildx"))
    if not have_plugins or not succeeds("docker", "image", "inspect", DEBIAN, environment=engine.environment):
        _bootstrap(engine, plugins)
    sources = repository / "deploy" / "compose"
    for name in STANDINS:
        say(f"image vpin-check/{name}")
        build = ("docker", "build", "--network=host", f"--build-arg=DEBIAN_BASE={DEBIAN}")
        what = (f"--target={name}", f"--tag=vpin-check/{name}", f"--file={sources}/standins.Dockerfile", str(sources))
        output(*build, *what, environment={**engine.environment, "DOCKER_BUILDKIT": "1"})
    _build_secrets(engine.scratch)
    return {"VPIN_CHECK_SECRETS": str(engine.scratch), "VPIN_CHECK_NOFILE": str(open_files())}


def prune(engine: Engine) -> None:
    """Drop what earlier runs left in the cache: images without a name, build steps that nobody used for a week."""
    output("docker", "image", "prune", "--force", environment=engine.environment)
    output("docker", "builder", "prune", "--force", "--filter=until=168h", environment=engine.environment)


def _bootstrap(engine: Engine, plugins: Path) -> None:
    root = engine.scratch / RELEASE
    try:
        say(f"Debian {RELEASE} by debootstrap")
        output("debootstrap", "--variant=minbase", RELEASE, str(root), _mirror())
        _unpack_plugins(root, plugins)
        say(f"image {DEBIAN}")
        archive = str(engine.scratch / "root.tar")
        output(
            "tar", "--numeric-owner", "--one-file-system", f"--directory={root}", "--create", f"--file={archive}", "."
        )
        output("docker", "import", archive, DEBIAN, environment=engine.environment)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _mirror() -> str:
    """Address of the Debian mirror that this machine's apt uses."""
    listing = output("apt-get", "indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(SITE)", "Created-By: Packages")
    mirrors = [
        site
        for origin, label, site in (line.split("|") for line in listing.splitlines())
        if origin == label == "Debian"
    ]
    if not mirrors:
        raise CheckError("apt knows no Debian mirror: run `apt-get update` first")
    return mirrors[0]


def _unpack_plugins(root: Path, plugins: Path) -> None:
    say("Docker's plugins compose and buildx")
    downloads = root / "plugins"
    downloads.mkdir()
    fetch = "apt-get update -q && cd /plugins && apt-get download -q docker-compose docker-buildx"
    output("chroot", str(root), "sh", "-c", fetch)
    for package in sorted(downloads.glob("*.deb")):
        output("dpkg", "-x", str(package), str(downloads))
    plugins.mkdir(parents=True, exist_ok=True)
    for plugin in downloads.glob("usr/lib*/docker/cli-plugins/docker-*"):
        shutil.copy2(plugin, plugins)
    shutil.rmtree(downloads)


def _build_secrets(folder: Path) -> None:
    """`pip.conf` and `ca.pem` in `folder`: this machine's package index and authorities, for builds, in no image."""
    files = configparser.RawConfigParser()
    files.read(["/etc/pip.conf", Path.home() / ".pip/pip.conf", Path.home() / ".config/pip/pip.conf"])
    settings = dict(files["global"]) if files.has_section("global") else {}
    variables = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    settings |= {name.removeprefix("PIP_").lower().replace("_", "-"): value for name, value in variables.items()}
    chosen = [f"{name} = {value}" for name, value in settings.items() if name in PIP_SETTINGS]
    (folder / "pip.conf").write_text("\n".join(["[global]", "cert = /run/secrets/ca.pem", *chosen, ""]))
    shutil.copyfile(settings.get("cert") or os.environ.get("SSL_CERT_FILE") or CA_BUNDLE, folder / "ca.pem")
