#!/usr/bin/env bash
# VMware's own simulator of the vSphere API (vcsim, once as a standalone host, once as a vCenter) and client (govc), built
# from Debian's source package of govmomi.
# usage: scripts/lab vcsim up|down|status|env|purge
#
#   up      install what is missing (saying so first), build unless that is done (some minutes, once), start, fill
#   env     STACKFERRY_ESXI…, GOVC_… and LAB_VCSIM_… as export lines
#   down    end both, keep what was built;   purge: delete the state, too;   status: exit 3 if one is down
#
# Untouched sources: what vcsim answers is VMware's idea of a host, not ours. It is no host, though: it has no licence that
# refuses, no locks, no delta disks, no SSH; one account, which may do all.
set -Eeuo pipefail
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$here/common.sh"
# shellcheck source-path=SCRIPTDIR source=packages.sh
. "$here/packages.sh"
lab_state vcsim

source_package=golang-github-vmware-govmomi
host_port=${STACKFERRY_LAB_VCSIM_PORT:-8989} center_port=${STACKFERRY_LAB_VCENTER_PORT:-8990}
bin=$STATE/bin datastore=$STATE/vmfs/datastore1 user=root

fetch_source() { # with a private apt state: the system's own sources stay as they are
  local apt=$STATE/apt mirror suite
  mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$STATE/src"
  mirror=$(grep -hE '^URIs:|^deb ' /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null |
    sed -E 's/^URIs: *//; s/^deb +(\[[^]]*\] +)?([^ ]+).*/\2/' | grep -v security | head -n 1 || true)
  # shellcheck disable=SC1091
  suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
  echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${mirror:-http://deb.debian.org/debian} $suite main" >"$apt/sources.list"
  cat >"$apt/apt.conf" <<C
Dir::State::lists "$apt/lists";
Dir::Cache "$apt/cache";
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
APT::Sandbox::User "root";
C
  say "fetching the source package $source_package"
  (cd "$STATE/src" && APT_CONFIG=$apt/apt.conf apt-get -q update &&
    APT_CONFIG=$apt/apt.conf apt-get -q source --download-only "$source_package") >>"$LOG/apt.log" 2>&1 ||
    die "the source package could not be fetched, see $LOG/apt.log"
}

build() {
  [[ ! -x $bin/vcsim || ! -x $bin/govc ]] || return 0
  local program to=$STATE/gopath/src/github.com/vmware
  install_packages golang-go dpkg-dev xz-utils golang-github-{google-uuid,kr-pretty,vmware-vmw-guestinfo,davecgh-go-xdr,a8m-tree}-dev
  compgen -G "$STATE/src/*.orig.tar.*" >/dev/null || fetch_source
  rm -rf "$STATE/gopath"
  mkdir -p "$to" "$bin"
  tar xf "$STATE"/src/*.orig.tar.* -C "$to"
  mv "$to"/govmomi-* "$to/govmomi"
  say 'building vcsim and govc (some minutes)'
  for program in vcsim govc; do
    GO111MODULE=off GOFLAGS='' GOCACHE=$STATE/gocache GOPATH=$STATE/gopath:/usr/share/gocode \
      go build -o "$bin/$program.new" "github.com/vmware/govmomi/$program" >>"$LOG/build.out" 2>&1 ||
      die "$program could not be built, see $LOG/build.out"
    mv "$bin/$program.new" "$bin/$program"
  done
  rm -rf "$STATE/gopath" "$STATE/gocache"
}

configure() { # a password and a certificate of its own
  mkdir -p "$STATE/tls"
  [[ -s $STATE/password ]] || (umask 077 && head -c 15 /dev/urandom | base64 | tr '+/' '-_' >"$STATE/password")
  [[ -s $STATE/tls/key ]] ||
    openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj '/O=VMware, Inc./CN=localhost.localdomain' \
      -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' -keyout "$STATE/tls/key" -out "$STATE/tls/cert" 2>/dev/null
}
fingerprint() { openssl x509 -in "$STATE/tls/cert" -noout -fingerprint -sha256 | sed 's/.*=//'; }

answers() { curl -skf --max-time 5 --noproxy '*' -o /dev/null "https://127.0.0.1:$1/sdk/vimServiceVersions.xml"; }
start() { # start NAME PORT OPTION…
  local name=$1 port=$2
  shift 2
  alive "$name" && return 0
  port_free "$port" || die "port $port of 127.0.0.1 is taken: set STACKFERRY_LAB_VCSIM_PORT and STACKFERRY_LAB_VCENTER_PORT"
  rm -rf "$STATE/tmp.$name"
  mkdir -p "$STATE/tmp.$name"
  # It demands the exact password only where both are given.
  bg "$name" env TMPDIR="$STATE/tmp.$name" "$bin/vcsim" "$@" -l "127.0.0.1:$port" -username "$user" \
    -password "$(cat "$STATE/password")" -tlscert "$STATE/tls/cert" -tlskey "$STATE/tls/key"
  wait_up 30 "$name" answers "$port"
}

fill() { # the host has a datastore and a port group on a second vSwitch; its VMs are for those who test to make
  (
    eval "$(show_env)"
    "$bin/govc" datastore.create -type local -name datastore1 -path "$datastore" localhost.localdomain
    "$bin/govc" host.vswitch.add vSwitch1
    "$bin/govc" host.portgroup.add -vswitch vSwitch1 -vlan 20 'DMZ VLAN/20'
  ) >>"$LOG/fill.out" 2>&1 || die "the host could not be filled, see $LOG/fill.out"
}

up() {
  need_root 'scripts/lab vcsim up'
  need_bookworm
  plain_environment
  lock_state
  mkdir -p "$LOG" "$RUN"
  build
  configure
  if ! alive host; then
    rm -rf "$STATE/vmfs"
    mkdir -p "$datastore"
    start host "$host_port" -esx -vm 0 -ds 0
    fill
  fi
  start center "$center_port" -dc 1 -cluster 0 -host 1 -vm 2
  say "up: a host on 127.0.0.1:$host_port, a vCenter on 127.0.0.1:$center_port"
}

show_env() {
  alive host || die 'not up; run: scripts/lab vcsim up'
  printf 'export %s=%q\n' STACKFERRY_ESXI "127.0.0.1:$host_port" STACKFERRY_ESXI_USER "$user" \
    STACKFERRY_ESXI_PASSWORD "$(cat "$STATE/password")" STACKFERRY_ESXI_FINGERPRINT "$(fingerprint)" \
    STACKFERRY_ESXI_TRANSPORT https \
    GOVC_URL "https://127.0.0.1:$host_port/sdk" GOVC_USERNAME "$user" GOVC_PASSWORD "$(cat "$STATE/password")" \
    GOVC_INSECURE 1 GOVC_PERSIST_SESSION false \
    LAB_VCSIM_GOVC "$bin/govc" LAB_VCSIM_CENTER "127.0.0.1:$center_port" LAB_VCSIM_CERT "$STATE/tls/cert" \
    LAB_VCSIM_DATASTORE "$datastore"
}

down() {
  [[ -d $STATE ]] || return 0
  need_root 'scripts/lab vcsim down'
  lock_state
  stop host 5
  stop center 5
  rm -rf "$STATE/vmfs" "$STATE"/tmp.*
  say "down; what was built stays in $bin"
}

case ${1:-} in
  up) up ;;
  down) down ;;
  status)
    if alive host && alive center; then echo "vcsim: up, a host on 127.0.0.1:$host_port, a vCenter on 127.0.0.1:$center_port"; else
      echo 'vcsim: down'
      exit 3
    fi
    ;;
  env) show_env ;;
  purge)
    down
    rm -rf "$STATE"
    ;;
  -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "$0" ;;
  *)
    sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "$0" >&2
    exit 2
    ;;
esac
