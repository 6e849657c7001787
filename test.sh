#!/usr/bin/env bash
# test.sh: installs what the tests need, builds, and runs them. Its last line counts them.
#
#   ./test.sh              the quick set
#   ./test.sh --long       the full counts: longer histories, planted defects, thread sanitizer
#   ./test.sh NAME…        some tests by name: sql/types/scalars, crash, FileStore.Create*
#   ./test.sh --list       the names
#
# CONTRIBUTING.md says how the tests are laid out and how to add one.
. "$(dirname "${BASH_SOURCE[0]}")/scripts/common.sh"

case ${1:-} in
  -h | --help)
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
esac

require_debian_12
stage "Packages"
install_packages build runtime test
ensure_account
stage "Build with sanitizers (build/dev)"
configure_and_build dev
stage "Build the program as it is shipped (build/release)"
configure_and_build release
stage "Tests"
exec /usr/bin/python3 "$root/tests/run_tests.py" "$@"
