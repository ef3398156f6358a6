#!/usr/bin/env bash
# Make the virtual environment and install everything in it: setup.sh PYTHON VENV
# Dependencies come from the hashed requirements.txt, through uv where it is on the PATH, else through pip.
set -euo pipefail
cd "$(dirname "$0")/.."
python=$1 venv=$2

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  echo "vpin needs Python 3.11 or newer; '$python' is not: give another one, e.g. make PYTHON=python3.12 …" >&2
  exit 1
fi

if command -v uv >/dev/null; then
  [ -x "$venv/bin/python" ] || uv venv --quiet --python "$python" "$venv"
  install=(uv pip install --quiet --compile-bytecode --python "$venv/bin/python")
else
  if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    rm -rf "$venv"
    if ! "$python" -m venv "$venv" >/dev/null 2>&1; then  # Debian keeps ensurepip in a package of its own
      if [ "$(id -u)" != 0 ]; then
        echo "'$python -m venv' does not work: install it (Debian: apt-get install python3-venv) or install uv" >&2
        exit 1
      fi
      rm -rf "$venv"
      apt-get update -q >/dev/null
      DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends python3-venv >/dev/null
      "$python" -m venv "$venv"
    fi
  fi
  install=("$venv/bin/python" -m pip install --quiet --disable-pip-version-check)
fi

"${install[@]}" --require-hashes -r requirements.txt
editable=()
for package in libs/* services/* .; do editable+=(-e "./$package"); done
"${install[@]}" --no-deps --no-build-isolation "${editable[@]}"
