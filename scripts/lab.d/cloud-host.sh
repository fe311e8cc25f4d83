# shellcheck shell=bash
# What the cloud leaves outside its own folder while it is up, and how each of these marks is taken back:
# a block in libvirt's qemu.conf, a mount.nfs, a pair of network devices, firewall rules.

# Libvirt reads qemu.conf at a fixed path. No cgroups, namespaces or security driver: containers have none to give.
qemu_conf() { # qemu_conf on|off
  local file=/etc/libvirt/qemu.conf
  [[ ! -e $file ]] || sed -i '/^# stackferry-lab begin/,/^# stackferry-lab end/d' $file
  [[ $1 == on ]] || return 0
  cat >>$file <<'E'
# stackferry-lab begin
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
cgroup_controllers = [ ]
namespaces = [ ]
stdio_handler = "file"
# stackferry-lab end
E
}

# Kernels of small machines have no NFS: for our own share, mount.nfs binds the folder instead. Cinder's and Nova's
# drivers do not notice. A real mount.nfs is diverted and still used; one that binds local shares already is left alone.
SHIM=/sbin/mount.nfs
other_lab() { # the folder of another lab on this machine that is up: both would use the marks below
  local other
  other=$(sed -n 's/^# stackferry-lab-shim of //p' $SHIM 2>/dev/null) || true
  [[ -n $other && $other != "$STATE" ]] && RUN=$other/run alive mariadb && echo "$other"
}
nfs_shim_on() {
  if [[ -e $SHIM ]] && ! grep -q stackferry-lab-shim $SHIM; then
    ! grep -qs 'mount --bind' $SHIM || return 0
    dpkg-divert --quiet --local --rename --divert $SHIM.distrib --add $SHIM
  fi
  cat >$SHIM.new <<E
#!/bin/sh
# stackferry-lab-shim of $STATE
# mount.nfs SHARE DIR [-o OPTIONS]
[ \$# -ge 2 ] || { echo "usage: mount.nfs share dir" >&2; exit 1; }
[ "\$1" != "$IP:$STATE/share" ] || exec mount --bind "$STATE/share" "\$2"
[ ! -x $SHIM.distrib ] || exec $SHIM.distrib "\$@"
echo "mount.nfs: no NFS client on this machine, only the lab's own share" >&2
exit 32
E
  chmod 755 $SHIM.new
  mv $SHIM.new $SHIM
}
nfs_shim_off() {
  grep -qs stackferry-lab-shim $SHIM || return 0
  rm -f $SHIM
  [[ $(dpkg-divert --listpackage $SHIM) != LOCAL ]] || dpkg-divert --quiet --local --rename --remove $SHIM
}

# ebtables-nft 1.8.9 cannot delete a rule with `among`, and the linuxbridge agent retries for ever: for that one call
# the chain is made anew, with the same result. Lies in our own folder, first in the agent's PATH.
ebtables_shim() {
  cat >"$STATE/bin/ebtables" <<'E'
#!/bin/sh
real=/usr/sbin/ebtables
case "$*" in
  "-t nat --concurrent -D neutronMAC-"*--among-src*)
    $real -t nat --concurrent -F "$5" && exec $real -t nat --concurrent -A "$5" -j DROP ;;
esac
exec $real "$@"
E
  chmod 755 "$STATE/bin/ebtables"
}

command_line() { { tr '\0' ' ' <"/proc/$1/cmdline"; } 2>/dev/null || true; } # command_line PID
net_up() { # this host is the provider network's gateway, so its guests are reached without a namespace
  ip link show "$PHY" >/dev/null 2>&1 || ip link add "$PHY" type veth peer name "$PHY_HOST"
  ip link set "$PHY" up
  ip link set "$PHY_HOST" up
  ip addr replace "$PROVIDER_NET.1/24" dev "$PHY_HOST"
  sysctl -qw net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1 2>/dev/null || true
}
our_networks() { # IDs: of the database while it runs, and of the DHCP agent's folders
  {
    ! alive mariadb || mariadb_root -N neutron -e 'select id from networks' 2>/dev/null
    ls "$STATE/neutron/dhcp" 2>/dev/null
  } | sort -u
}
net_down() { # net_down NETWORK_ID…: what Neutron's agents made and do not take with them
  local id file pid device
  for file in "$STATE"/neutron/dhcp/*/pid "$STATE"/neutron/external/pids/*.pid*; do # dnsmasq, haproxy
    [[ -s $file ]] || continue
    read -r pid <"$file" || true # no line end
    if command_line "$pid" | grep -q "$STATE/"; then kill "$pid" 2>/dev/null || true; fi
    rm -f "$file"
  done
  for id in "$@"; do
    ip netns del "qdhcp-$id" 2>/dev/null || true
    ip link del "brq${id:0:11}" 2>/dev/null || true
  done
  while read -r device; do
    ((${device#vxlan-} >= VNI_FIRST && ${device#vxlan-} <= VNI_LAST)) && ip link del "$device"
  done < <(ip -o link show type vxlan 2>/dev/null | sed -n 's/^[0-9]*: \(vxlan-[0-9]*\)[@:].*/\1/p') || true
  ip link del "$PHY" 2>/dev/null || true
  local save
  for save in iptables ip6tables ebtables; do # Neutron's rules, and nobody else's
    ! $save-save 2>/dev/null | grep -q neutron || { $save-save | grep -v neutron | $save-restore || true; }
  done
}

guests_down() { # servers of ours: their files lie in our folder
  local id file
  if alive libvirtd; then
    for id in $(virsh -q -c qemu:///system list --name 2>/dev/null); do
      if virsh -q -c qemu:///system dumpxml "$id" | grep -q "$STATE/"; then
        virsh -q -c qemu:///system destroy "$id" >/dev/null 2>&1 || true
      fi
    done
  fi
  for file in /proc/[0-9]*; do # left by a libvirtd that was killed
    id=${file#/proc/}
    if command_line "$id" | grep -q "^[^ ]*qemu-system[^ ]* .*$STATE/nova/"; then kill "$id" 2>/dev/null || true; fi
  done
}
guests_forget() { # definitions: the next cloud counts from instance-00000001 again
  local file name
  for file in /etc/libvirt/qemu/instance-*.xml; do
    grep -qs "$STATE/" "$file" || continue
    name=$(basename "$file" .xml)
    rm -f "$file" "/var/lib/libvirt/qemu/nvram/${name}_VARS.fd"
  done
}
unmount_share() { # the share is bound in several places: deleting one of them would delete the volumes
  local place
  while read -r place; do
    umount "$place" 2>/dev/null || umount -l "$place"
  done < <(awk -v below="$STATE/" 'index($2, below) == 1 {print $2}' /proc/mounts)
}
