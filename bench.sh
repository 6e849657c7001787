#!/usr/bin/env bash
# bench.sh: measures Coppice against what people use today, both sides in one run.
#
#   ./bench.sh             every benchmark
#   ./bench.sh NAME…       some of them: copy thumbnails (--list shows the names)
#   ./bench.sh --json      one JSON object a line: {name, ours, theirs, ratio, bar, met}
#
# A figure is the median of five paired runs. A wrong result or a missing peer is an error.
. "$(dirname "${BASH_SOURCE[0]}")/scripts/common.sh"

case ${1:-} in
  -h | --help)
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
esac

require_debian_12
{
  stage "Packages"
  install_packages build runtime bench
  ensure_account
  stage "Build (build/release)"
  configure_and_build release
  stage "Benchmarks"
} >&2
exec /usr/bin/python3 "$root/benchmarks/run_benchmarks.py" "$@"
