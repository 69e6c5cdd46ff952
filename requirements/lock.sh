#!/usr/bin/env bash
# Writes the lock files anew, from pyproject.toml and the *.in beside them: with hashes, without any index
# address.
# dev.txt: what a work place and CI install.  images.txt: what the container images hold.
# peers.txt: an environment of its own for benchmarks/egress_peers.py.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=${UV:-.venv/bin/uv}
common=(--quiet --generate-hashes --no-emit-index-url --no-emit-find-links --python-version 3.11 --no-header --no-annotate)
"$uv" pip compile "${common[@]}" pyproject.toml --all-extras -o requirements/dev.txt "$@"
"$uv" pip compile "${common[@]}" requirements/images.in -c requirements/dev.txt -o requirements/images.txt "$@"
"$uv" pip compile "${common[@]}" requirements/peers.in -o requirements/peers.txt "$@"
