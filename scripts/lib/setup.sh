# shellcheck shell=bash
# What demo and test need on this machine: Debian packages, Node >= 20, the project's own packages, the built program.
# Sourced by scripts/demo and scripts/test, which call `setup PACKAGE…`.

root_dir=$(dirname "$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")")
# shellcheck source=../lab.d/common.sh
. "$root_dir/scripts/lab.d/common.sh"
# shellcheck source=../lab.d/packages.sh
. "$root_dir/scripts/lab.d/packages.sh"

# A Node of the wrong age is left alone; ours lies in this checkout and serves it alone.
NODE_VERSION=20.20.2
node_dir=$root_dir/.node

ask_root() { # ask_root CMD…: as root, by sudo where we are not
  if [[ $(id -u) == 0 ]]; then "$@"; else sudo "$@"; fi
}

setup_packages() {
  local missing=()
  command -v dpkg-query >/dev/null || {
    say "this is no Debian or Ubuntu: install by your own means what is missing of: $*"
    return 0
  }
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]})) || return 0
  say "installing Debian packages: ${missing[*]}"
  [[ $(id -u) == 0 ]] || command -v sudo >/dev/null || die "installing needs root, and there is no sudo: apt-get install ${missing[*]}"
  ask_root bash -c '
    set -Eeuo pipefail
    . "$0/scripts/lab.d/common.sh"
    . "$0/scripts/lab.d/packages.sh"
    LOG=$1
    shift
    install_packages "$@"
  ' "$root_dir" "$LOG" "${missing[@]}"
}

node_major() { "$1" -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0; }

setup_node() {
  local arch kept=$node_dir/lib/node_modules
  case $(uname -m) in
    x86_64) arch=x64 ;;
    aarch64) arch=arm64 ;;
    *) arch=unknown ;;
  esac
  if [[ -x $kept/node-linux-$arch/bin/node ]]; then
    export PATH=$kept/node-linux-$arch/bin:$PATH
  elif (($(node_major node) < 20)); then
    [[ $arch != unknown ]] || die "Node >= 20 is missing; install it, this machine ($(uname -m)) has no npm package of it"
    command -v npm >/dev/null || setup_packages npm
    say "Node >= 20 is missing: taking $NODE_VERSION from the npm package node-linux-$arch, for this checkout alone"
    npm install --global --prefix "$node_dir" --no-audit --no-fund "node-linux-$arch@$NODE_VERSION" >"$LOG/node.log" 2>&1 ||
      die "npm could not install node-linux-$arch, see $LOG/node.log"
    export PATH=$kept/node-linux-$arch/bin:$PATH
  fi
  command -v npm >/dev/null || setup_packages npm
  (($(node_major node) >= 20)) || die "Node >= 20 is still missing"
}

setup_modules() { # once for a lock file
  local mark=$root_dir/node_modules/.stackferry-lock want
  want=$(sha256sum "$root_dir/package-lock.json" | cut -c1-16)-$(node -p process.versions.modules)
  [[ $(cat "$mark" 2>/dev/null) != "$want" ]] || return 0
  say "npm ci"
  (cd "$root_dir" && npm ci --no-audit --no-fund >"$LOG/npm.log" 2>&1) || {
    tail -n 20 "$LOG/npm.log" >&2
    die "npm ci failed, see $LOG/npm.log"
  }
  echo "$want" >"$mark"
}

setup_build() {
  say "building"
  (cd "$root_dir" && npm run --silent build) || die "the build failed"
}

setup() { # setup PACKAGE…
  LOG=$(mktemp -d "${TMPDIR:-/tmp}/stackferry-setup.XXXXXX")
  setup_packages "$@"
  setup_node
  setup_modules
  setup_build
  rm -rf "$LOG"
}
