#!/usr/bin/env bash
# demo.sh: from a bare Debian 12 to photos, videos, sounds and PDFs as rows you can query, undo
# and trace. Installs what it needs, builds the program, runs examples/media_library in a home of
# its own (build/demo). Your own Coppice home is never touched.
#
#   ./demo.sh
. "$(dirname "${BASH_SOURCE[0]}")/scripts/common.sh"

case ${1:-} in
  '') ;;
  -h | --help)
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
  *) fail "it takes no arguments, not '$1'." ;;
esac

require_debian_12
stage "Packages"
install_packages build runtime demo
ensure_account
stage "Build (build/release)"
configure_and_build release

program=$root/build/release/coppice
folder=$root/build/demo
mkdir -p "$folder"
if ! reachable_by_account "$folder"; then
  # Under root the database and the workers run as the account coppice, which cannot enter this
  # folder (a clone under /root, say): both the program and the home go where it can.
  folder=$(mktemp -d "${TMPDIR:-/tmp}/coppice-demo.XXXXXX")
  chmod 755 "$folder"
  echo "   the account coppice cannot enter $root: using $folder"
  logged install-demo cmake --install "$root/build/release" --prefix "$folder/program"
  program=$folder/program/bin/coppice
fi
export COPPICE=$program COPPICE_HOME=$folder/home
if [[ -e $COPPICE_HOME ]]; then
  "$COPPICE" stop >/dev/null || true
  rm -rf -- "$COPPICE_HOME"
fi
stage "The media library"
"$root/examples/media_library/run.sh" "$folder"
printf '== done  [%s]\n' "$(elapsed)"
