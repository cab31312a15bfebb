#!/bin/sh
# Installs what the tests drive (Debian packages), only what is missing and only as root; otherwise names it.
# With --list it prints the names of the packages. Exit status: 0 all there, 1 something is missing.
set -eu

packages="fuse3 libfuse2 libfuse3-dev pkg-config gcc libc6-dev procps psmisc lsof htop tmux sysstat strace
util-linux curl prometheus-node-exporter python3 python3-psutil"

if [ "${1:-}" = --list ]; then
  # shellcheck disable=SC2086
  echo $packages
  exit 0
fi

missing() {
  for package in $packages; do
    dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q ' installed$' || echo "$package"
  done
}

if ! command -v dpkg-query >/dev/null; then
  echo "not a Debian system; the tests need the equivalents of:" $packages >&2
  exit 1
fi

wanted=$(missing)
[ -n "$wanted" ] || exit 0

if [ "$(id -u)" != 0 ]; then
  echo "missing packages; install them as root with: apt-get install" $wanted >&2
  exit 1
fi

echo "installing:" $wanted >&2
export DEBIAN_FRONTEND=noninteractive
# The exporter's daemon is not wanted, only its program; policy-rc.d keeps services from starting.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
  trap 'rm -f "$policy"' EXIT
fi
apt-get update -q >&2
# shellcheck disable=SC2086
apt-get install -q -y --no-install-recommends $wanted >&2
[ -z "$(missing)" ]
