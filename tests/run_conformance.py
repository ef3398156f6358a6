"""The shared conformance suite against the embedded run and the five services: `make conformance`.

    python tests/run_conformance.py [--run embedded|suite] [--expected-only] [--update] [--jobs N] [FILE ...]

tests/conformance.expected lists the cases that pass, each line a run (embedded, suite, or both) and a case. The exit
code is 1 when one of them passes no more. A case that fails is given a second chance, alone: the cases are about time,
and the machine may be busy. `--update` adds the cases that passed; nothing takes one away but a person.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from infra import outcomes as outcomes_plugin  # noqa: E402  found by the line above
from infra.packages import MissingPartError  # noqa: E402
from infra.process import HOST, PartError, free_port  # noqa: E402
from infra.suite import Suite  # noqa: E402
from infra.vpin import EmbeddedRun, clean_environment, free_address  # noqa: E402

CASES = Path(os.environ.get("VPIN_CONFORMANCE", ROOT.parent / "shared" / "conformance"))
EXPECTED = ROOT / "tests" / "conformance.expected"
RUNS = ("embedded", "suite")
ADMIN = {"VPIN_ADMIN_EMAIL": "admin@blynk.cc", "VPIN_ADMIN_PASSWORD": "admin"}
CRASHING = "test_statesync.py"
"""It kills the server, so nothing else may run meanwhile."""
SECONDS = 3600
"""For one pytest process: a server that hangs must not hang the check."""

Results = dict[str, str]
"""Outcome (passed, failed, skipped) by case."""


class Server:
    """One run with everything that the conformance suite's README asks for."""

    def __init__(self, run: str, folder: Path) -> None:
        sinks = {name: free_address() for name in ("VPIN_SMTP_SINK", "VPIN_PUSH_SINK", "VPIN_SMS_SINK")}
        smtp_host, _, smtp_port = sinks["VPIN_SMTP_SINK"].rpartition(":")
        settings = clean_environment(
            **ADMIN,
            VPIN_REGISTRATIONS_PER_HOUR="100000",
            VPIN_PRODUCT_NAME="Blynk",  # the name that the cases look for in mails
            VPIN_SMTP_HOST=smtp_host,
            VPIN_SMTP_PORT=smtp_port,
            VPIN_SMTP_STARTTLS="false",
            VPIN_PUSH_URL=f"http://{sinks['VPIN_PUSH_SINK']}/fcm/send",
            VPIN_PUSH_KEY="TESTKEY",
            VPIN_SMS_URL=f"http://{sinks['VPIN_SMS_SINK']}/sms/json",
            VPIN_SMS_KEY="K",
            VPIN_SMS_SECRET="S",
        )
        self.system: EmbeddedRun | Suite
        self.system = EmbeddedRun(folder / run, settings) if run == "embedded" else Suite(_made(folder / run), settings)
        self._restricted = EmbeddedRun(folder / "restricted", {**settings, **_restrictions(folder)})
        self._crash = _made(folder / run) / "crash.sock"
        self.environment = clean_environment(
            **ADMIN,
            **sinks,
            VPIN_HTTP=self.system.http,
            VPIN_TLS=self.system.tls,
            VPIN_MQTT=self.system.environment.get("VPIN_MQTT", f"{HOST}:{free_port()}"),
            VPIN_RESTRICTED_TLS=self._restricted.tls,
            VPIN_CRASH_CMD=f"{sys.executable} {__file__} --crash {self._crash}",
            PYTHONDONTWRITEBYTECODE="1",
        )

    @contextmanager
    def running(self) -> Iterator[None]:
        try:
            self.system.start()
            self._restricted.start()
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(str(self._crash))
                listener.listen()
                threading.Thread(target=self._serve_crashes, args=(listener,), daemon=True).start()
                yield
        finally:
            self._restricted.stop()
            self.system.stop()

    def _serve_crashes(self, listener: socket.socket) -> None:
        """Kill the server for whoever connects, start it again, then answer."""
        while True:
            try:
                caller, _ = listener.accept()
            except OSError:
                return
            with caller:
                self.system.kill()
                if isinstance(self.system, Suite):
                    self.system.start_services()
                else:
                    self.system.start()
                caller.sendall(b"up")


def crash(path: str) -> int:
    """What VPIN_CRASH_CMD runs."""
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(path)
        return 0 if caller.recv(2) == b"up" else 1


def check(server: Server, cases: list[str], jobs: int, folder: Path) -> Results:
    """Run files or single cases. Those that share a sink stay in one process, those that crash the server run alone."""
    groups: dict[str, list[str]] = {}
    for case in cases:
        groups.setdefault(_group(case.partition("::")[0]), []).append(case)
    alone = groups.pop(CRASHING, [])
    with ThreadPoolExecutor(jobs) as pool:
        found = list(pool.map(lambda group: pytest(server, group, folder), groups.values()))
    if alone:
        found.append(pytest(server, alone, folder))
    return {case: outcome for results in found for case, outcome in results.items()}


def pytest(server: Server, cases: list[str], folder: Path) -> Results:
    """One pytest process for files or single cases; its output goes to a log beside their outcomes."""
    work = Path(tempfile.mkdtemp(dir=folder))
    outcomes, wanted = work / "outcomes.json", work / "wanted.json"
    environment = {**server.environment, outcomes_plugin.OUTCOMES: str(outcomes), "PYTHONPATH": str(ROOT / "tests")}
    if any("::" in case for case in cases):
        wanted.write_text(json.dumps(cases))
        environment[outcomes_plugin.WANTED] = str(wanted)
    files = sorted({case.partition("::")[0] for case in cases})
    with (work / "pytest.log").open("wb") as log:
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "--tb=short", "-p", "infra.outcomes", *files],
            cwd=CASES,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            timeout=SECONDS,
        )
    if not outcomes.exists():
        raise PartError(f"pytest did not end in order:\n{(work / 'pytest.log').read_text()[-3000:]}")
    return json.loads(outcomes.read_text())


def _group(file: str) -> str:
    """Files in one group run one after the other, in one process."""
    if file == CRASHING:
        return CRASHING
    return "sinks" if "support_notify" in (CASES / file).read_text() else file


def read_expected() -> dict[str, set[str]]:
    """Cases that pass, by run."""
    expected: dict[str, set[str]] = {run: set() for run in RUNS}
    for line in EXPECTED.read_text().splitlines() if EXPECTED.exists() else []:
        if line and not line.startswith("#"):
            run, _, case = line.partition(" ")
            for name in RUNS if run == "both" else (run,):
                expected[name].add(case)
    return expected


def add_expected(run: str, passed: set[str]) -> None:
    """Write the list with these cases more."""
    expected = read_expected()
    expected[run] |= passed
    lines = [
        "# Conformance cases that pass, by run. The list only grows: `tests/run_conformance.py --update` adds to it."
    ]
    for case in sorted(set.union(*expected.values())):
        runs = [run for run in RUNS if case in expected[run]]
        lines.append(f"{'both' if len(runs) == len(RUNS) else runs[0]} {case}")
    EXPECTED.write_text("\n".join(lines) + "\n")


def report(run: str, results: Results) -> None:
    """Passed and failed by file."""
    files: dict[str, Counter[str]] = {}
    for case, outcome in results.items():
        files.setdefault(case.partition("::")[0], Counter())[outcome] += 1
    say(f"{run:25} passed  failed  skipped")
    total: Counter[str] = Counter()
    for file, counts in sorted(files.items()):
        total += counts
        say(f"  {file:23} {counts['passed']:6}  {counts['failed']:6}  {counts['skipped']:7}")
    say(f"  {'all':23} {total['passed']:6}  {total['failed']:6}  {total['skipped']:7}")


def one_run(run: str, options: argparse.Namespace, expected: set[str], folder: Path) -> tuple[Results, list[str]]:
    """Results, and the expected cases that failed twice."""
    files = options.files or sorted(path.name for path in CASES.glob("test_*.py"))
    wanted = sorted(case for case in expected if case.partition("::")[0] in files)
    server = Server(run, folder)
    reports = _made(folder / f"{run}-reports")
    with server.running():
        results = check(server, wanted if options.expected_only else files, options.jobs, reports) if files else {}
        failed = [case for case in wanted if results.get(case) != "passed"]
        if failed:
            again = check(server, failed, 1, reports)
            results |= {case: outcome for case, outcome in again.items() if outcome == "passed"}
            lucky = sorted(case for case in failed if again.get(case) == "passed")
            for case in lucky:
                say(f"{run}: passed at the second try: {case}")
            failed = [case for case in failed if case not in lucky]
    return results, failed


def main() -> int:
    options = _options()
    if options.crash:
        return crash(options.crash)
    if not CASES.is_dir():
        say(f"{CASES} is not there: set VPIN_CONFORMANCE to the folder of the conformance suite")
        return 1
    expected = read_expected()
    folder = Path(tempfile.mkdtemp(prefix="vpin-conformance-"))
    broken: list[str] = []
    passed = failed = 0
    try:
        for run in [options.run] if options.run else RUNS:
            results, lost = one_run(run, options, expected[run], folder)
            report(run, results)
            broken += [f"{run} {case}" for case in lost]
            passed += sum(outcome == "passed" for outcome in results.values())
            failed += len(lost)
            if options.update:
                add_expected(run, {case for case, outcome in results.items() if outcome == "passed"})
    except (PartError, MissingPartError) as error:
        say(str(error))
        return 1
    finally:
        if options.keep or broken:
            say(f"logs are kept in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    for line in broken:
        say(f"passes no more: {line}")
    say(f"{passed} passed, {failed} failed")
    return 1 if broken else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The shared conformance tests in both runs.")
    parser.add_argument("files", nargs="*", help="test files; without: all")
    parser.add_argument("--run", choices=RUNS, help="only this run")
    parser.add_argument("--expected-only", action="store_true", help="only the cases that are expected to pass")
    parser.add_argument("--update", action="store_true", help="add what passed to tests/conformance.expected")
    parser.add_argument("--jobs", type=int, default=3, help="pytest processes at a time")
    parser.add_argument("--keep", action="store_true", help="keep logs and reports")
    parser.add_argument("--crash", help=argparse.SUPPRESS)
    return parser.parse_args()


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _restrictions(folder: Path) -> dict[str, str]:
    """Settings of the second server, which lets no administrator in from here."""
    file = folder / "restricted.properties"
    file.write_text("allowed.administrator.ips=10.0.0.1\n")
    return {"VPIN_SERVER_PROPERTIES": str(file)}


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
