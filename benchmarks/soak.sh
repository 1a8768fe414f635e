#!/usr/bin/env bash
# The long form of what SECURITY.md promises: kills, full memory, hangs, failing writes, probes, cancels, visitors, fuzzing.
#   benchmarks/soak.sh                 all of it, about two hours on two cores; writes docs/reliability.md
#   benchmarks/soak.sh kills=20 fuzz=1 parts of it, shorter; the page keeps the last output of each part, with its count
set -euo pipefail
cd "$(dirname "$0")/.."
exec "${PYTHON:-.venv/bin/python}" -m benchmarks.soak "$@"
