# shellcheck shell=bash disable=SC2034
# What this machine can carry. What it cannot is said, and written to $STATE/not-proved, one line each; the cloud
# then comes up without it. Sets COMPUTE (servers and their networks: 1 or 0), TENANT_NET and FIREWALL.

not_proved() {
  say "NOT PROVED here: $*"
  echo "$*" >>"$STATE/not-proved"
}

other_libvirtd() { # a libvirtd that is not ours: pid and command line
  local pid own=''
  if alive libvirtd; then read -r own _ <"$RUN/libvirtd.pid"; fi
  for pid in $(pidof libvirtd virtqemud 2>/dev/null); do
    if [[ $pid != "$own" && -n $(starttime "$pid") ]]; then
      echo "$pid: $(tr '\0' ' ' <"/proc/$pid/cmdline")"
      return 0
    fi
  done
  return 1
}

try_netns() { ip netns add sfprobe && ip netns del sfprobe; }
try_link() { ip link add sfprobe0 type "$@" && ip link del sfprobe0; }
try_vxlan() { ip link add sfprobe0 type vxlan id "$VNI_LAST" local "$IP" dstport 8472 && ip link del sfprobe0; }
try_firewall() {
  local rc=0
  iptables -w -N sfprobe || return 1
  iptables -w -A sfprobe -m physdev --physdev-in x --physdev-is-bridged -j RETURN || rc=1
  iptables -w -F sfprobe && iptables -w -X sfprobe
  ip6tables -w -L -n >/dev/null || rc=1
  return $rc
}
try_bind() {
  mkdir -p "$STATE/cinder/probe"
  mount --bind "$STATE/share" "$STATE/cinder/probe" && umount "$STATE/cinder/probe"
}

probe_host() {
  local other why='' free
  COMPUTE=1 TENANT_NET=vxlan FIREWALL=iptables
  rm -f "$STATE/not-proved"
  ! other=$(other_lab) || die "another lab is up in $other: one at a time on a machine"
  try_bind 2>>"$LOG/probe.log" || die 'volumes need mount --bind, which is refused here (a container without rights?)'
  if other=$(other_libvirtd); then
    why="another libvirtd runs (pid $other); end it, then run up again"
  elif ! { try_netns && try_link bridge && try_link veth peer name sfprobe1; } >>"$LOG/probe.log" 2>&1; then
    why="no network namespaces, bridges or veth devices here (see $LOG/probe.log)"
  fi
  if [[ -n $why ]]; then
    COMPUTE=0
    not_proved "servers, guest networks, hot attach: $why"
  elif ! try_vxlan >>"$LOG/probe.log" 2>&1; then
    TENANT_NET=local
    not_proved "vxlan networks: the kernel has none, project networks are local ones"
  fi
  if [[ $COMPUTE == 1 ]] && ! try_firewall >>"$LOG/probe.log" 2>&1; then
    FIREWALL=noop
    not_proved "security groups: the kernel lacks what their rules need, they are accepted and not enforced"
  fi
  free=$(awk '/^MemAvailable/ {print int($2 / 1024)}' /proc/meminfo)
  ((free > 6000)) || alive nova-api || say "only $free MiB of memory are free; the cloud alone takes 4 GiB"
}

ports_free() { # having ended what a killed service of ours left on its port
  local name tries
  local -A ports=([mariadb]=$P_DB [epmd]=$P_EPMD [rabbitmq]=$P_MQ)
  for name in "${!API_PORTS[@]}"; do ports[$name]=${API_PORTS[$name]}; done
  for name in "${!ports[@]}"; do
    ! alive "$name" || continue
    end_group "$name"
    for ((tries = 20; tries > 0; tries--)); do
      if port_free "${ports[$name]}"; then continue 2; fi
      sleep 0.25
    done
    die "port ${ports[$name]} ($name) is taken by something else; set STACKFERRY_LAB_PORT_OFFSET"
  done
}
