# shellcheck shell=bash
# Does the cloud work? The true path with the true client: image, volume of it, server booted from that, what it prints.

lab_os() { OS_CLIENT_CONFIG_FILE=$STATE/clouds.yaml openstack --os-cloud lab "$@"; }

smoke_clean() { # whatever a broken run left, by name
  local kind id
  for id in $(lab_os server list -f value -c ID --name '^smoke-'); do lab_os server delete --wait "$id" || true; done
  for kind in port volume image; do
    for id in $(lab_os $kind list -f value -c ID -c Name | awk '$2 ~ /^smoke-/ {print $1}'); do
      lab_os $kind delete "$id" || true
    done
  done
}
smoke_status() { # smoke_status KIND ID WANTED SECONDS
  local status='' end=$((SECONDS + $4))
  until [[ $status == "$3" ]]; do
    status=$(lab_os "$1" show "$2" -f value -c status)
    [[ ${status,,} != error ]] || die "the $1 is in error: openstack $1 show $2"
    ((SECONDS < end)) || die "the $1 is $status, not $3, after $4 s"
  done
}
smoke_console() { # smoke_console SERVER: until it waits for a login
  local log=$LOG/smoke-console.log end=$((SECONDS + 240))
  until grep -q '^lab-guest login: ' "$log"; do
    ((SECONDS < end)) || die "the guest did not come to its login line, see $log"
    lab_os console log show "$1" 2>/dev/null | tr -d '\r' >"$log" || true
  done
  grep LAB-GUEST "$log" >&2
}
smoke() {
  local name=smoke-$$ raw=$STATE/guest/lab-guest.raw image volume port server
  local address=$PROJECT_NET.55 mac=00:50:56:aa:bb:cc
  [[ $COMPUTE == 1 ]] || die "no servers on this machine: $(cat "$STATE/not-proved")"
  : >"$LOG/smoke-console.log"
  smoke_clean
  say 'smoke: image'
  image=$(lab_os image create "$name" --disk-format raw --container-format bare --file "$raw" \
    --property hw_disk_bus=scsi --property hw_scsi_model=virtio-scsi -f value -c id)
  say 'smoke: volume of the image'
  volume=$(lab_os volume create "$name" --image "$image" --size 1 --type lab -f value -c id)
  smoke_status volume "$volume" available 240
  cmp -n "$(stat -c %s "$raw")" "$raw" "$STATE/share/volume-$volume" || die "the volume's bytes are not the image's"
  say 'smoke: server of the volume'
  port=$(lab_os port create "$name" --network lab-net --mac-address $mac --fixed-ip ip-address="$address" \
    --security-group lab-open -f value -c id)
  server=$(lab_os server create "$name" --flavor lab.tiny --volume "$volume" --port "$port" -f value -c id)
  smoke_status server "$server" ACTIVE 360
  say 'smoke: server is ACTIVE, reading its console'
  smoke_console "$server"
  grep -q "mac=$mac ip=$address/" "$LOG/smoke-console.log" || die 'the guest did not get its fixed address'
  say 'smoke: deleting all'
  smoke_clean
  wait_for 60 'the deleted volume to go' bash -c "[[ ! -e '$STATE/share/volume-$volume' ]]"
  say 'smoke: passed'
}
