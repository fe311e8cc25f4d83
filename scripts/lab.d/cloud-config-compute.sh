# shellcheck shell=bash
# The configuration files of what runs servers: Nova, libvirt, Neutron and its agents.

config_nova() {
  local cpu=$'cpu_mode = custom\ncpu_models = Westmere' # x86-64-v2, all of it known to QEMU's emulation
  [[ $VIRT_TYPE != kvm ]] || cpu='cpu_mode = host-passthrough'
  cp -f /etc/nova/api-paste.ini "$ETC/nova/api-paste.ini"
  cat >"$ETC/nova/nova.conf" <<E
[DEFAULT]
log_dir = $LOG
host = $HOST_NAME
my_ip = $IP
state_path = $STATE/nova
instances_path = $STATE/nova/instances
transport_url = $(mq_url)
compute_driver = libvirt.LibvirtDriver
osapi_compute_listen = $IP
osapi_compute_listen_port = $P_NOVA
osapi_compute_workers = 1
metadata_listen = $IP
metadata_listen_port = $P_METADATA
metadata_workers = 1
rootwrap_config = /etc/nova/rootwrap.conf
block_device_allocate_retries = 600
block_device_allocate_retries_interval = 1
vif_plugging_timeout = 120
vif_plugging_is_fatal = true
cpu_allocation_ratio = 16
ram_allocation_ratio = 1.5
disk_allocation_ratio = 10
reserved_host_memory_mb = 512
use_cow_images = true
service_down_time = 120
[api]
auth_strategy = keystone
[wsgi]
api_paste_config = $ETC/nova/api-paste.ini
[conductor]
workers = 1
[scheduler]
workers = 1
discover_hosts_in_cells_interval = 60
[glance]
$(as_user nova)
[cinder]
catalog_info = volumev3::publicURL
os_region_name = $REGION
$(as_user nova)
[neutron]
service_metadata_proxy = true
metadata_proxy_shared_secret = $PASSWORD
$(as_user nova)
[placement]
$(as_user placement)
[libvirt]
connection_uri = qemu:///system
virt_type = $VIRT_TYPE
$cpu
images_type = qcow2
nfs_mount_point_base = $STATE/nova/mnt
num_pcie_ports = 16
[workarounds]
skip_cpu_compare_at_startup = true
skip_cpu_compare_on_dest = true
[vnc]
enabled = true
server_listen = $IP
server_proxyclient_address = $IP
[serial_console]
enabled = false
[cache]
enabled = false
$(db_section api_database nova_api)
$(db_section database nova)
$(common_sections nova)
E
}

config_libvirt() {
  [[ -s $STATE/host-uuid ]] || cat /proc/sys/kernel/random/uuid >"$STATE/host-uuid"
  cat >"$ETC/libvirt/libvirtd.conf" <<E
host_uuid = "$(cat "$STATE/host-uuid")"
auth_unix_rw = "none"
unix_sock_rw_perms = "0777"
log_outputs = "2:file:$LOG/libvirtd.log"
E
}

config_neutron() { # config_neutron TENANT_NETWORK_TYPE FIREWALL_DRIVER
  cat >"$ETC/neutron/neutron.conf" <<E
[DEFAULT]
host = $HOST_NAME
bind_host = $IP
bind_port = $P_NEUTRON
state_path = $STATE/neutron
transport_url = $(mq_url)
auth_strategy = keystone
core_plugin = ml2
service_plugins =
api_paste_config = /etc/neutron/api-paste.ini
notify_nova_on_port_status_changes = true
notify_nova_on_port_data_changes = true
api_workers = 1
rpc_workers = 1
rpc_state_report_workers = 0
agent_down_time = 120
dhcp_agents_per_network = 1
max_allowed_address_pair = 20
[experimental]
linuxbridge = true
[privsep]
# without sudo, whose secure_path would hide the ebtables of $STATE/bin
helper_command = /usr/bin/privsep-helper --config-file $ETC/neutron/neutron.conf
[agent]
root_helper = sudo /usr/bin/neutron-rootwrap /etc/neutron/rootwrap.conf
root_helper_daemon = sudo /usr/bin/neutron-rootwrap-daemon /etc/neutron/rootwrap.conf
report_interval = 20
[nova]
$(as_user nova)
$(db_section database neutron)
$(common_sections neutron)
E
  cat >"$ETC/neutron/ml2.ini" <<E
[ml2]
type_drivers = flat,vxlan,local
tenant_network_types = $1
mechanism_drivers = linuxbridge,l2population
extension_drivers = port_security
[ml2_type_flat]
flat_networks = physnet1
[ml2_type_vxlan]
vni_ranges = $VNI_FIRST:$VNI_LAST
[securitygroup]
enable_security_group = true
enable_ipset = true
E
  # l2population, not multicast: on loopback the group's packets come back, and bridges learn guests behind the tunnel
  cat >"$ETC/neutron/linuxbridge.ini" <<E
[linux_bridge]
physical_interface_mappings = physnet1:$PHY
[vxlan]
enable_vxlan = $([[ $1 == vxlan ]] && echo true || echo false)
local_ip = $IP
l2_population = $([[ $1 == vxlan ]] && echo true || echo false)
[securitygroup]
enable_security_group = true
firewall_driver = $2
enable_ipset = true
E
  cat >"$ETC/neutron/dhcp.ini" <<E
[DEFAULT]
interface_driver = linuxbridge
dhcp_driver = neutron.agent.linux.dhcp.Dnsmasq
enable_isolated_metadata = true
dnsmasq_dns_servers = 9.9.9.9
E
  cat >"$ETC/neutron/metadata.ini" <<E
[DEFAULT]
nova_metadata_host = $IP
nova_metadata_port = $P_METADATA
metadata_proxy_shared_secret = $PASSWORD
metadata_workers = 0
E
}
