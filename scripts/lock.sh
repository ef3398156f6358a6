#!/usr/bin/env bash
# Resolve anew what pyproject.toml and its packages ask for, and write the hashed requirements.txt. Needs uv.
# uv.lock itself stays out of the repository: it names the host that the packages came from.
set -euo pipefail
cd "$(dirname "$0")/.."
uv lock --quiet
uv export --quiet --frozen --all-packages --no-emit-workspace --no-header --format requirements-txt --output-file requirements.txt
if grep -nE '://|--(extra-)?index-url|--find-links' requirements.txt; then
  echo "requirements.txt must not name where packages come from" >&2
  exit 1
fi
echo "requirements.txt: $(grep -cE '^[a-z0-9]' requirements.txt) packages"
