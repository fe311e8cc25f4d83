#!/usr/bin/env bash
# A real OpenSSH sshd in front of the same ESXi-like tree that the embedded host serves (test/lab/esxi).
# usage: scripts/lab esxi up [RAW]|down|status|env|purge
#
#   up [RAW]  install what is missing (saying so first), build the tree unless it is there, start sshd; with RAW, web01's
#             first disk is that bootable image (default: the one of `scripts/lab guest`, where it was built)
#   env       STACKFERRY_ESXI, _ESXI_SSH_PORT, _ESXI_USER, _ESXI_PASSWORD, _ESXI_FINGERPRINT as export lines
#   down      end sshd, keep the tree;   purge: delete the state, too;   status: exit 3 if it is down
#
# sshd lives in a mount name space of its own, in which root's shell is /bin/sh and PAM's service `sshd` checks the lab's
# password. Nothing outside the state folder is touched. What no OpenSSH knows is left out of ESXi's settings: FipsMode.
set -Eeuo pipefail
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$here/common.sh"
lab_state esxi

repo=$(dirname "$(dirname "$here")")
port=${STACKFERRY_LAB_ESXI_PORT:-2022}
tree=$STATE/tree ssh=$STATE/ssh

install_missing() {
  local missing=() policy=/usr/sbin/policy-rc.d made=0
  [[ -x /usr/sbin/sshd ]] || missing+=(openssh-server)
  [[ -x /bin/busybox ]] || missing+=(busybox-static)
  ((${#missing[@]})) || return 0
  say "installing ${missing[*]} (no service is started)"
  [[ -e $policy ]] || { printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy" && made=1; }
  local rc=0
  {
    apt-get -q update &&
      DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "${missing[@]}"
  } >"$LOG/apt.log" 2>&1 || rc=$?
  [[ $made == 0 ]] || rm -f "$policy"
  [[ $rc == 0 ]] || die "apt-get failed, see $LOG/apt.log"
}

build_tree() { # build_tree [RAW]: unless a whole one is there that was built from the same image
  local image=${1:-} want
  want=$(image_word "$image")
  [[ $(cat "$STATE/tree.done" 2>/dev/null) == "$want" ]] && return 0
  say "building the tree; the first disk of web01: ${image:-made up}"
  rm -rf "$tree" "$STATE/tree.done"
  (cd "$repo" && node --import tsx test/lab/esxi/build-main.ts "$tree" ${image:+--boot-image "$image"}) >>"$LOG/build.out" 2>&1 ||
    die "the tree could not be built, see $LOG/build.out"
  chown -R 0:0 "$tree"
  chmod 755 "$tree" # as ChrootDirectory demands: root's, writable by nobody else
  echo "$want" >"$STATE/tree.done"
}
image_word() { # what tells one image from another; the tree's own sources count, too
  (cd "$repo" && find test/lab/esxi -type f ! -name '*.test.ts' -print0 | sort -z | xargs -0 cat | sha256sum | cut -c1-16)
  [[ -z $1 ]] || stat -c '%n %s %Y' "$1"
}

configure() {
  mkdir -p "$ssh/keys" "$ssh/pam.d"
  [[ -s $ssh/password ]] || (umask 077 && head -c 15 /dev/urandom | base64 | tr '+/' '-_' >"$ssh/password")
  [[ -s $ssh/host_rsa ]] || ssh-keygen -q -t rsa -b 2048 -N '' -f "$ssh/host_rsa"
  [[ -s $ssh/host_ecdsa ]] || ssh-keygen -q -t ecdsa -b 256 -N '' -f "$ssh/host_ecdsa"
  touch "$ssh/keys/authorized_keys"
  # PAM hands the typed password over on standard input, ended by a NUL.
  cat >"$ssh/check" <<C
#!/bin/sh
[ "\$(tr -d '\\000')" = "\$(cat '$ssh/password')" ]
C
  chmod 755 "$ssh/check"
  # pam_permit is there for setcred, which pam_exec leaves unanswered.
  printf '%s\n' "auth requisite pam_exec.so expose_authtok quiet /run/lab-ssh/check" 'auth required pam_permit.so' \
    'account required pam_permit.so' 'session required pam_permit.so' >"$ssh/pam.d/sshd"
  # Root's shell in the tree; the other accounts as they are.
  sed 's|^\(root:.*:\)[^:]*$|\1/bin/sh|; s|^\(root:[^:]*:[^:]*:[^:]*:[^:]*:\)[^:]*|\1/|' /etc/passwd >"$ssh/passwd"
  printf '\nVMware ESXi (the lab of stackferry)\n\n' >"$ssh/issue"
  # As an ESXi 8 host has it (public notes of one): algorithms, limits, the ways to log in.
  cat >"$ssh/sshd_config" <<C
ListenAddress 127.0.0.1
Port $port
PidFile none
HostKey $ssh/host_rsa
HostKey $ssh/host_ecdsa
AuthorizedKeysFile /run/lab-ssh/keys/authorized_keys
Banner $ssh/issue
Ciphers aes256-gcm@openssh.com,aes128-gcm@openssh.com,aes256-ctr,aes192-ctr,aes128-ctr
HostKeyAlgorithms ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-256,rsa-sha2-512
KexAlgorithms ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521,diffie-hellman-group-exchange-sha256,diffie-hellman-group16-sha512,diffie-hellman-group18-sha512,diffie-hellman-group14-sha256
MACs hmac-sha2-256,hmac-sha2-512
PubkeyAcceptedAlgorithms ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-256,rsa-sha2-512
ClientAliveInterval 200
ClientAliveCountMax 3
MaxStartups 10:30:100
MaxSessions 10
RekeyLimit 1G 1H
PermitRootLogin yes
UsePAM yes
KbdInteractiveAuthentication yes
PasswordAuthentication no
PermitEmptyPasswords no
StrictModes yes
Compression no
TCPKeepAlive yes
X11Forwarding no
PermitTunnel no
PermitUserEnvironment no
UseDNS no
LogLevel INFO
AllowUsers root
Subsystem sftp internal-sftp
ChrootDirectory /run/lab-tree
C
  # Starts sshd where /etc/passwd and its PAM file are ours, and /run its own. The tree and the keys appear there, for
  # sshd takes them from no path that has a folder in it which others may write, as /var/tmp.
  cat >"$ssh/start" <<C
#!/bin/sh
set -e
mount --bind '$ssh/passwd' /etc/passwd
mount --bind '$ssh/pam.d' /etc/pam.d
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -m 755 /run/sshd /run/lab-tree /run/lab-ssh
mount --bind '$tree' /run/lab-tree
mount --bind '$ssh' /run/lab-ssh
exec /usr/sbin/sshd -D -E '$LOG/sshd.log' -f '$ssh/sshd_config'
C
  chmod 755 "$ssh/start"
}

answers() { ssh-keyscan -T 2 -p "$port" -t ecdsa 127.0.0.1 2>/dev/null | grep -q ecdsa; }
fingerprint() { ssh-keygen -l -E sha256 -f "$ssh/host_ecdsa.pub" | cut -d' ' -f2; }

up() {
  local image=${1:-} guest=${STACKFERRY_LAB_DIR:-/var/tmp/stackferry-lab}/cloud/guest/lab-guest.raw
  need_root "scripts/lab esxi up"
  [[ -n $image || ! -e $guest ]] || image=$guest
  [[ -z $image || -r $image ]] || die "there is no image $image"
  lock_state
  mkdir -p "$LOG" "$RUN"
  chmod 755 "$STATE"
  install_missing
  unshare --mount true 2>/dev/null || die "this machine lets nobody make a mount name space (CAP_SYS_ADMIN is missing)"
  if alive sshd && [[ $(cat "$STATE/tree.done" 2>/dev/null) != "$(image_word "$image")" ]]; then
    say "the tree is out of date: starting anew"
    stop sshd
  fi
  build_tree "$image"
  if ! alive sshd; then
    port_free "$port" || die "port $port of 127.0.0.1 is taken: set STACKFERRY_LAB_ESXI_PORT"
    configure
    bg sshd unshare --mount "$ssh/start"
  fi
  wait_up 15 sshd answers
  say "up: sshd on 127.0.0.1:$port, tree $tree"
}

show_env() {
  alive sshd || die "not up; run: scripts/lab esxi up"
  printf 'export %s=%q\n' STACKFERRY_ESXI 127.0.0.1 STACKFERRY_ESXI_SSH_PORT "$(sed -n 's/^Port //p' "$ssh/sshd_config")" \
    STACKFERRY_ESXI_USER root STACKFERRY_ESXI_PASSWORD "$(cat "$ssh/password")" \
    STACKFERRY_ESXI_FINGERPRINT "$(fingerprint)"
}

down() {
  [[ -d $STATE ]] || return 0
  need_root "scripts/lab esxi down"
  lock_state
  stop sshd
  say "down; the tree stays in $tree"
}

case ${1:-} in
  up) up "${2:-}" ;;
  down) down ;;
  status)
    if alive sshd; then echo "esxi: up, 127.0.0.1:$(sed -n 's/^Port //p' "$ssh/sshd_config")"; else
      echo 'esxi: down'
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
