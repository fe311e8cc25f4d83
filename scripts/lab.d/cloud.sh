#!/usr/bin/env bash
# A real OpenStack (Zed, of Debian 12's packages) on this machine, without systemd or docker: scripts/lab cloud --help
set -Eeuo pipefail
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
for file in common packages; do
  # shellcheck source=/dev/null
  . "$here/$file.sh"
done
lab_state cloud
for file in vars config config-compute host probe services access smoke; do
  # shellcheck source=/dev/null
  . "$here/cloud-$file.sh"
done

usage() {
  cat <<E
usage: scripts/lab cloud up|down|status|purge|smoke
       scripts/lab cloud env [member|appcred|admin|poor]

  up      install, start, fill and wait until ready; goes on where a failed run stopped. Needs root and Debian 12
          (elsewhere exit 4). What this machine cannot carry is in \$STATE/not-proved, a line each.
  status  each service, its pid and memory; exit 3 if one is down or does not answer
  env     OS_* for eval; forgets every other OS_* variable
  smoke   image, volume, server, its console, and all deleted again
  down    end everything, servers too (they are SHUTOFF afterwards), keep the state; purge deletes it

Examples:
  scripts/lab cloud up && scripts/lab cloud smoke
  eval "\$(scripts/lab cloud env)" && openstack server list
  OS_CLIENT_CONFIG_FILE=$STATE/clouds.yaml openstack --os-cloud lab-appcred volume list

STATE is $STATE. Keystone: $AUTH
Clouds in \$STATE/clouds.yaml: lab (member), lab-appcred, lab-admin, lab-poor (quota: 1 server, 1 volume, 1 GiB),
  lab-other (another user and project), lab-wrong-project (user lab in project lab-other: must be refused).
Networks: lab-net (the project's own, $PROJECT_NET.0/24 and DHCPv6), lab-provider (shared, $PROVIDER_NET.0/24; this host
  is $PROVIDER_NET.1 there). Logs: \$STATE/log. Boot image: \$STATE/guest/lab-guest.raw.
Variables, to be the same in each call (defaults): STACKFERRY_LAB_DIR (/var/tmp/stackferry-lab),
  STACKFERRY_LAB_PORT_OFFSET (20000), STACKFERRY_LAB_PASSWORD (lab), STACKFERRY_LAB_VIRT_TYPE (qemu; kvm).
E
}

same_settings() { # they are in the databases too: other ones need a new cloud
  local now
  now="offset=$OFFSET password=$(sha256sum <<<"$PASSWORD" | cut -c1-16) dir=$STATE"
  [[ -e $STATE/settings ]] || echo "$now" >"$STATE/settings"
  [[ $(cat "$STATE/settings") == "$now" ]] ||
    die "the state in $STATE was made with other STACKFERRY_LAB_* variables; set those, or purge it with those"
}
python() { # python FILE ARGS…: with the cloud's client libraries
  OS_CLIENT_CONFIG_FILE=$STATE/clouds.yaml /usr/bin/python3 "$here/$1" "${@:2}"
}
seed() { # seed identity|resources, once a version of the script
  local mark
  mark=$STATE/done/$1-$(sha256sum <"$here/cloud-seed.py" | cut -c1-16)
  [[ ! -e $mark ]] || return 0
  say "seed: $1"
  LAB_PASSWORD=$PASSWORD LAB_REGION=$REGION LAB_APPCRED=$STATE/appcred LAB_GUEST=$STATE/guest/lab-guest.qcow2 \
    LAB_GLANCE=http://$IP:$P_GLANCE LAB_CINDER=http://$IP:$P_CINDER LAB_PLACEMENT=http://$IP:$P_PLACEMENT \
    LAB_NOVA=http://$IP:$P_NOVA LAB_NEUTRON=http://$IP:$P_NEUTRON LAB_PROJECT_NET=$PROJECT_NET \
    LAB_PROJECT_NET6=$PROJECT_NET6 LAB_PROVIDER_NET=$PROVIDER_NET \
    python cloud-seed.py "$1" >"$LOG/seed-$1.log" 2>&1 || die "seed: $1, see $LOG/seed-$1.log"
  touch "$mark"
}

up() {
  need_bookworm
  need_root scripts/lab cloud up
  lock_state
  mkdir -p "$LOG" "$RUN"
  install_packages "${CLOUD_PACKAGES[@]}"
  same_settings
  config_folders
  probe_host
  config_keystone
  config_placement
  config_glance
  config_cinder
  config_nova
  config_libvirt
  config_neutron "$TENANT_NET" "$FIREWALL"
  nfs_shim_on
  ports_free
  local expected=("${SERVICES[@]}")
  [[ $COMPUTE == 0 ]] || expected+=("${COMPUTE_SERVICES[@]}")
  printf '%s\n' "${expected[@]}" >"$STATE/services"

  say 'mariadb, rabbitmq'
  start_mq
  start_db
  schemas
  bootstrap_keystone
  clouds_yaml
  say 'keystone'
  start_keystone
  seed identity
  clouds_yaml
  wait_mq
  say 'glance, placement, cinder, neutron, nova'
  start_apis
  if [[ $COMPUTE == 1 ]]; then
    qemu_conf on
    net_up
    ebtables_shim
    start_libvirtd
  fi
  LAB_SECONDS=$SECONDS bash "$here/guest.sh" >/dev/null
  wait_apis
  [[ $COMPUTE == 0 ]] || start_agents
  say 'waiting until all report themselves up'
  python cloud-ready.py 300 "$COMPUTE" "$ETC/nova/nova.conf" || die "not ready; logs in $LOG"
  seed resources
  [[ $COMPUTE == 0 ]] || wait_for 180 "each network's DHCP server" dhcp_up
  say "up: $AUTH, clouds in $STATE/clouds.yaml"
}

down() {
  local networks=() name names=() i
  need_root scripts/lab cloud down
  lock_state
  mkdir -p "$LOG" "$RUN"
  mapfile -t names < <(expected_services)
  mapfile -t networks < <(our_networks)
  guests_down
  for ((i = ${#names[@]} - 1; i >= 0; i--)); do
    case ${names[i]} in
      mariadb | epmd | rabbitmq) ;;
      *) stop "${names[i]}" 10 & ;;
    esac
  done
  wait
  if alive rabbitmq; then rabbit_ctl stop >/dev/null 2>&1 || true; fi
  stop rabbitmq 20
  stop epmd
  stop mariadb 30
  for name in "${names[@]}"; do
    if [[ $name == neutron-linuxbridge ]]; then net_down "${networks[@]}"; fi
  done
  unmount_share
  qemu_conf off
  nfs_shim_off
  say "down (state kept in $STATE)"
}

purge() {
  down
  if awk -v below="$STATE/" 'index($2, below) == 1 {found = 1} END {exit !found}' /proc/mounts; then
    die "something is still mounted below $STATE"
  fi
  guests_forget
  rm -rf --one-file-system "${STATE:?}"
  say "purged $STATE (packages stay installed)"
}

expected_services() {
  cat "$STATE/services" 2>/dev/null || printf '%s\n' "${SERVICES[@]}" "${COMPUTE_SERVICES[@]}"
}
status() {
  local name pid rc=0 mib word
  for name in $(expected_services); do
    if alive "$name"; then
      read -r pid _ <"$RUN/$name.pid"
      mib=$(ps -o rss= -g "$pid" 2>/dev/null | awk '{sum += $1} END {printf "%d", sum / 1024}')
      word=up
      answers "$name" || { word=mute rc=3; }
      printf '%-20s %-5s pid %-7s %5s MiB\n' "$name" $word "$pid" "$mib"
    else
      printf '%-20s down\n' "$name"
      rc=3
    fi
  done
  if [[ -s $STATE/not-proved ]]; then sed 's/^/not proved here: /' "$STATE/not-proved"; fi
  exit $rc
}
have_compute() { if grep -qsx nova-compute "$STATE/services"; then COMPUTE=1; else COMPUTE=0; fi; }

plain_environment
export HOME=/root
umask 022
case ${1:-}:$# in
  -h:1 | --help:1 | help:1) usage ;;
  env:[12]) print_env "${2:-member}" ;;
  status:1) status ;;
  up:1 | down:1 | purge:1)
    trap_errors
    "$1"
    ;;
  smoke:1)
    trap_errors
    have_compute
    smoke
    ;;
  *)
    usage >&2
    exit 2
    ;;
esac
