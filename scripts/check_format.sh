#!/usr/bin/env bash
# Checks that every C++ file is laid out as .clang-format says; --fix lays them out.
set -euo pipefail
cd "$(dirname "$0")/.."

mapfile -d '' files < <(find src tests benchmarks examples \
  \( -name '*.cpp' -o -name '*.h' \) -type f -print0 | sort -z)
if [[ ${1:-} == --fix ]]; then
  exec clang-format-14 -i "${files[@]}"
fi
clang-format-14 --dry-run -Werror "${files[@]}"
