#!/usr/bin/env bash
# Runs shellcheck over every shell script: by name, and by its first line when it has no suffix.
set -euo pipefail
cd "$(dirname "$0")/.."

mapfile -t files < <({
  find . -path ./build -prune -o -path ./.git -prune -o -name '*.sh' -type f -print
  find .ci scripts examples tests benchmarks -type f ! -name '*.*' \
    -exec awk 'FNR == 1 && /^#!.*(bash|\/sh)/ {print FILENAME}' {} +
} | sort -u)
shellcheck --external-sources --source-path=SCRIPTDIR "${files[@]}"
