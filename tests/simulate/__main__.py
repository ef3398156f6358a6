"""python -m simulate [--boards 500] [--minutes 5]: `vpin simulate` against five processes of its own (`make soak`)."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from infra.suite import Suite
from infra.vpin import COMMAND, clean_environment


def main() -> int:
    parser = argparse.ArgumentParser(prog="simulate", description=__doc__)
    parser.add_argument("--boards", type=int, default=500)
    parser.add_argument("--minutes", type=float, default=5.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vpin-simulate-") as folder:
        suite = Suite(Path(folder), clean_environment())
        try:
            suite.start()
            arguments = ["--boards", str(options.boards), "--minutes", str(options.minutes)]
            arguments += ["--http", suite.http, "--tls", suite.tls]
            for name, process in suite.processes.items():
                arguments += ["--pid", f"{name}={process.pid}"]
            return subprocess.run([*COMMAND, "simulate", *arguments], check=False).returncode
        finally:
            suite.stop()


if __name__ == "__main__":
    sys.exit(main())
