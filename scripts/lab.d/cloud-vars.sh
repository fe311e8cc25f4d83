# shellcheck shell=bash disable=SC2034
# The cloud's fixed points: ports, networks, packages, services. Sourced after `lab_state cloud`.

OFFSET=${STACKFERRY_LAB_PORT_OFFSET:-20000}     # added to each port; all stay below the kernel's ephemeral range
PASSWORD=${STACKFERRY_LAB_PASSWORD:-lab}        # of every account: nothing here listens beyond this machine
VIRT_TYPE=${STACKFERRY_LAB_VIRT_TYPE:-qemu}     # kvm only where Linux guests really run under it

IP=127.0.0.1
P_KEYSTONE=$((5000 + OFFSET)) P_GLANCE=$((9292 + OFFSET)) P_CINDER=$((8776 + OFFSET)) P_PLACEMENT=$((8778 + OFFSET))
P_NOVA=$((8774 + OFFSET)) P_METADATA=$((8775 + OFFSET)) P_NEUTRON=$((9696 + OFFSET))
P_DB=$((3306 + OFFSET)) P_MQ=$((5672 + OFFSET)) P_MQ_DIST=$((7672 + OFFSET)) P_EPMD=$((4369 + OFFSET))

AUTH=http://$IP:$P_KEYSTONE/v3 REGION=RegionOne HOST_NAME=stackferry-lab
ETC=$STATE/etc
PHY=sfphy0 PHY_HOST=sfphy1                      # a veth pair: Neutron's physical interface, and this host's end of it
PROVIDER_NET=10.178.0 PROJECT_NET=10.177.0 PROJECT_NET6=fd00:177
VNI_FIRST=5000 VNI_LAST=5999

CLOUD_PACKAGES=(keystone glance-api cinder-api cinder-scheduler cinder-volume python3-os-brick placement-api
  nova-api nova-conductor nova-scheduler nova-compute nova-compute-kvm
  neutron-server neutron-linuxbridge-agent neutron-dhcp-agent neutron-metadata-agent
  python3-openstackclient python3-osc-placement uwsgi-core uwsgi-plugin-python3
  rabbitmq-server mariadb-server libvirt-daemon-system libvirt-clients
  qemu-system-x86 qemu-utils qemu-block-extra ovmf
  sudo curl iproute2 iptables ebtables iputils-ping genisoimage)

# In the order of their start; what needs a hypervisor and networks of this machine comes last.
SERVICES=(mariadb epmd rabbitmq keystone placement glance-api cinder-api cinder-scheduler cinder-volume
  neutron-server nova-conductor nova-scheduler nova-api)
COMPUTE_SERVICES=(libvirtd nova-compute neutron-linuxbridge neutron-dhcp neutron-metadata)
