# shellcheck shell=bash
# What every part of the lab uses: messages, what the machine must be, and processes that outlive the script.
# A part sources this file and calls `lab_state PART` first.

# lab_state PART: its folders, as STATE, LOG and RUN.
lab_state() {
  STATE=${STACKFERRY_LAB_DIR:-/var/tmp/stackferry-lab}/$1 LOG=$STATE/log RUN=$STATE/run
}

# ---- messages: all on stderr, with the seconds since the start, a caller's included
SECONDS=${LAB_SECONDS:-0}
say() { printf '[%4ds] %s\n' "$SECONDS" "$*" >&2; }
die() {
  say "FAILED: $*"
  exit 1
}
trap_errors() { trap 'say "FAILED in ${BASH_SOURCE[0]##*/} line $LINENO: ${BASH_COMMAND%%$'"'\n'"'*}"' ERR; }

# ---- the machine
need_root() { [[ $(id -u) == 0 ]] || die "this needs root: sudo $*"; }
need_bookworm() { # exit 4: "left out here", for whoever reports what was not run
  local release
  # shellcheck disable=SC1091
  release=$(. /etc/os-release 2>/dev/null && echo "${ID:-} ${VERSION_ID:-}") || true
  [[ $release != 'debian 12' ]] || return 0
  echo "lab: this part needs Debian 12; this machine is ${release:-unknown}" >&2
  exit 4
}
# The system's own programs, whatever environment the caller lives in; no proxy, nobody's cloud.
plain_environment() {
  local name
  export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 PYTHONWARNINGS=ignore
  unset PYTHONPATH PYTHONHOME VIRTUAL_ENV http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY
  for name in "${!OS_@}"; do unset "$name"; done
}
# One `up`, `down` or `purge` of a part at a time.
lock_state() {
  mkdir -p "$STATE"
  exec 9>"$STATE/.lock"
  flock -n 9 && return 0
  say "waiting for another run, which holds $STATE/.lock"
  flock -w 900 9 || die "gave up on $STATE/.lock"
}

# ---- processes: a pid file holds "pid start", so that a recycled pid is never taken for ours
BOOT=$(head -c 8 /proc/sys/kernel/random/boot_id)
starttime() { # starttime PID [dead]: a zombie counts as gone (PID 1 of a container may not reap), unless asked for
  local stat fields
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  read -r -a fields <<<"${stat##*) }"
  [[ ${fields[0]} != Z || ${2:-} == dead ]] && echo "${fields[19]}-$BOOT"
}
alive() { # alive NAME
  local pid start
  [[ -r $RUN/$1.pid ]] && read -r pid start <"$RUN/$1.pid" && [[ $(starttime "$pid") == "$start" ]]
}
end_group() { # end_group NAME: it, and what it leaves when it has ended by itself
  local pid start now
  if [[ -r $RUN/$1.pid ]]; then
    read -r pid start <"$RUN/$1.pid"
    now=$(starttime "$pid" dead) || now=$start # gone: while its group has members, the number is not given out again
    [[ $now != "$start" || ${start#*-} != "$BOOT" ]] || kill -KILL -- "-$pid" 2>/dev/null || true
    rm -f "$RUN/$1.pid"
  fi
}
log_of() { # the log that tells why NAME ended
  if [[ -s $LOG/$1.log ]]; then echo "$LOG/$1.log and $1.out"; else echo "$LOG/$1.out"; fi
}
bg() { # bg NAME CMD…: start it unless it runs, in a session of its own, so that its group can be ended as one
  local name=$1 pid
  shift
  alive "$name" && return 0
  end_group "$name"
  setsid nohup "$@" >>"$LOG/$name.out" 2>&1 </dev/null 9>&- &
  pid=$!
  echo "$pid $(starttime "$pid")" >"$RUN/$name.pid"
}
stop() { # stop NAME [SECONDS]: ask, wait, then end its group
  local name=$1 pid _start tries
  if alive "$name"; then
    read -r pid _start <"$RUN/$name.pid"
    kill -TERM "$pid" 2>/dev/null || true
    for ((tries = ${2:-15} * 10; tries > 0; tries--)); do
      alive "$name" || break
      sleep 0.1
    done
  fi
  end_group "$name"
}
wait_for() { # wait_for SECONDS WHAT CMD…
  local end=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < end)) || die "waited in vain for $what; logs in $LOG"
    sleep 0.25
  done
}
wait_up() { # wait_up SECONDS NAME CMD…: as wait_for, but seeing at once when the process NAME has ended
  local end=$((SECONDS + $1)) name=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    alive "$name" || die "$name has ended, see $(log_of "$name")"
    ((SECONDS < end)) || die "$name did not answer in time, see $(log_of "$name")"
    sleep 0.25
  done
}
http_up() { curl -s -o /dev/null --max-time 5 --noproxy '*' "$1"; }
port_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
