# shellcheck shell=bash
# common.sh: what demo.sh, test.sh and bench.sh share. Sourced, never run.
#
# Gives    root (the source folder), stage, fail, require_debian_12, install_packages,
#          ensure_account, configure_and_build, reachable_by_account.
# Rules    Says what it does in numbered stages with the elapsed time. Repeating costs a second:
#          apt-get runs only when a package of scripts/packages is missing.

set -euo pipefail
export LC_ALL=C.UTF-8
umask 022  # the database's account runs what is built here

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
logs=$root/build/logs
stage_number=0

elapsed() { printf '%d:%02d' $((SECONDS / 60)) $((SECONDS % 60)); }

stage() {
  stage_number=$((stage_number + 1))
  printf '== %d. %s  [%s]\n' "$stage_number" "$1" "$(elapsed)"
}

fail() {
  printf '%s: %s\n' "$(basename "$0")" "$1" >&2
  if [[ -n ${2:-} ]]; then printf '%s\n' "$2" >&2; fi
  exit 1
}

# The scripts know one system, so that "it works" means one thing. Derivatives of bookworm pass.
# COPPICE_OS_RELEASE is for the test of this function.
require_debian_12() {
  local file=${COPPICE_OS_RELEASE:-/etc/os-release} name='an unknown system' codename='' debian=''
  if [[ -r $file ]]; then
    name=$(sed -n 's/^PRETTY_NAME="\{0,1\}\([^"]*\)"\{0,1\}$/\1/p' "$file")
    codename=$(sed -n 's/^VERSION_CODENAME="\{0,1\}\([^"]*\)"\{0,1\}$/\1/p' "$file")
    debian=$(sed -n 's/^DEBIAN_CODENAME="\{0,1\}\([^"]*\)"\{0,1\}$/\1/p' "$file")
  fi
  if [[ $codename != bookworm && $debian != bookworm ]]; then
    fail "this is ${name:-an unknown system}; this script needs Debian 12 (bookworm)." \
      "Try it in a container or virtual machine of Debian 12."
  fi
}

# The names in the given groups of scripts/packages, one a line.
packages_of() {
  local group
  for group in "$@"; do
    awk -v group="[$group]" '/^#/ || NF == 0 {next} /^\[/ {found = ($1 == group); next} found {print $1}' \
      "$root/scripts/packages"
  done | sort -u
}

as_root() {
  if [[ $EUID -eq 0 ]]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo -- "$@"
  else
    fail "cannot run '$1' as root: neither root nor sudo here." \
      "Run this script as root, or install sudo."
  fi
}

missing_packages() {
  comm -23 <(packages_of "$@") \
    <(dpkg-query --show --showformat='${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p' | sort -u)
}

install_packages() {
  local missing
  mapfile -t missing < <(missing_packages "$@")
  if [[ ${#missing[@]} -eq 0 ]]; then return; fi
  echo "   installing ${#missing[@]} packages: ${missing[*]}"
  # Debian's PostgreSQL would start a cluster of its own on port 5432; Coppice makes its own.
  if [[ ! -e /etc/postgresql-common/createcluster.d/coppice.conf ]]; then
    as_root mkdir -p /etc/postgresql-common/createcluster.d
    echo 'create_main_cluster = false' |
      as_root tee /etc/postgresql-common/createcluster.d/coppice.conf >/dev/null
  fi
  logged apt-update as_root env DEBIAN_FRONTEND=noninteractive apt-get update
  logged apt-install as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install --yes --no-install-recommends "${missing[@]}"
}

# Under root the database and the function workers run as this account, never as root.
ensure_account() {
  if [[ $EUID -ne 0 ]] || getent passwd coppice >/dev/null; then return; fi
  echo "   creating the account coppice"
  useradd --system --user-group --home-dir /var/lib/coppice --no-create-home \
    --shell /usr/sbin/nologin coppice
}

# Runs a command with its output in build/logs/NAME.log; shows the end of it when it fails.
logged() {
  local name=$1 status=0
  shift
  mkdir -p "$logs"
  "$@" >"$logs/$name.log" 2>&1 </dev/null || status=$?
  if [[ $status -ne 0 ]]; then
    tail -n 60 "$logs/$name.log" >&2
    fail "$name failed (exit code $status). Everything it said is in $logs/$name.log"
  fi
}

# A C++ compiler of this code takes up to 1.5 GiB: no more at once than fit into memory.
build_jobs() {
  local cores memory_kib fitting
  cores=$(nproc)
  memory_kib=$(awk '/^MemAvailable:/ {print $2}' /proc/meminfo)
  fitting=$((memory_kib / 1572864))
  if [[ $fitting -lt 1 ]]; then fitting=1; fi
  if [[ $fitting -lt $cores ]]; then echo "$fitting"; else echo "$cores"; fi
}

# configure_and_build PRESET [TARGET…]: into build/PRESET.
configure_and_build() {
  local preset=$1
  shift
  # Once configured, the build configures itself again when a CMake file changes.
  if [[ ! -e $root/build/$preset/configured ]]; then
    logged "configure-$preset" cmake -S "$root" --preset "$preset"
    touch "$root/build/$preset/configured"
  fi
  logged "build-$preset" cmake --build "$root/build/$preset" --parallel "$(build_jobs)" \
    ${1:+--target "$@"}
}

# True when the account that the database runs as under root can enter a folder.
reachable_by_account() {
  if [[ $EUID -ne 0 ]]; then return 0; fi
  setpriv --reuid=coppice --regid=coppice --clear-groups test -x "$1"
}
