#!/usr/bin/env bash
# Runs pyflakes over every Python file: names that nobody defines, imports that nobody uses.
set -euo pipefail
cd "$(dirname "$0")/.."

mapfile -d '' files < <(find scripts tests benchmarks examples sdk -name '*.py' -type f -print0 | sort -z)
pyflakes3 "${files[@]}"
