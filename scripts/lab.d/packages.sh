# shellcheck shell=bash
# Debian packages: which are missing, and installing those without starting any service.

missing_packages() { # missing_packages NAME…
  local name
  for name in "$@"; do
    # shellcheck disable=SC2016
    [[ $(dpkg-query -W -f='${Status}' "$name" 2>/dev/null) == 'install ok installed' ]] || echo "$name"
  done
}

apt() {
  DEBIAN_FRONTEND=noninteractive DEBIAN_PRIORITY=critical apt-get -o DPkg::Lock::Timeout=600 \
    -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold -o Dpkg::Options::=--force-unsafe-io "$@" >>"$LOG/apt.log" 2>&1 </dev/null
}

# No service may start by itself: a policy-rc.d that is already there decides; else ours does, for the time being.
POLICY=/usr/sbin/policy-rc.d
policy_ours= # set while the one that is there was made by this process
policy_off() {
  [[ -z $policy_ours ]] || rm -f $POLICY
  policy_ours=
}
policy_on() { # with the lock held, one of ours was left by a run that was killed
  [[ ! -e $POLICY ]] || grep -qs stackferry-lab $POLICY || return 0
  policy_ours=1
  printf '#!/bin/sh\n# stackferry-lab: no service starts while the lab installs packages\nexit 101\n' >$POLICY
  chmod 755 $POLICY
}

install_packages() { # install_packages NAME…
  local missing=() lock code=0
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]})) || return 0
  [[ $(id -u) == 0 ]] || die "missing packages, and installing needs root: ${missing[*]}"
  # One run at a time: the first to end would take the policy from under the second.
  exec {lock}</var/lib/dpkg
  flock -n "$lock" || {
    say "waiting for another run, which installs packages"
    flock "$lock"
  }
  say "installing ${#missing[@]} Debian packages and what they need: ${missing[*]}"
  policy_on
  # what a killed run left half installed
  [[ -z $(dpkg --audit) ]] || dpkg --force-confdef --force-confold --configure -a >>"$LOG/apt.log" 2>&1 </dev/null
  apt update || say "apt-get update failed, going on with the lists that are there (see $LOG/apt.log)"
  apt install -y --no-install-recommends "${missing[@]}" || code=$?
  # dpkg waits for the disk at each of some thousand files, which doubles the time; once at the end does as well.
  sync -f /usr /var /etc
  policy_off
  ((code == 0)) || die "apt-get install failed, see $LOG/apt.log"
  exec {lock}<&-
}
