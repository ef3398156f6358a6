#!/usr/bin/env bash
# Resolve anew what pyproject.toml and its packages ask for, and write the hashed requirements: of development, and of
# the image (to run, to build). Needs uv. uv.lock itself stays out of the repository: it names the host that the packages
# came from.
set -euo pipefail
cd "$(dirname "$0")/.."
image=deploy/docker
uv lock --quiet
export=(uv export --quiet --frozen --no-emit-workspace --no-header --format requirements-txt --output-file)
"${export[@]}" requirements.txt --all-packages
"${export[@]}" $image/requirements.txt --all-packages --no-dev
"${export[@]}" $image/build-requirements.txt --only-group build
for file in requirements.txt $image/requirements.txt $image/build-requirements.txt; do
  if grep -nE '://|--(extra-)?index-url|--find-links' "$file"; then
    echo "$file must not name where packages come from" >&2
    exit 1
  fi
  echo "$file: $(grep -cE '^[a-z0-9]' "$file") packages"
done
