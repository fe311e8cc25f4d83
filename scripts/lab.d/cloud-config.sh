# shellcheck shell=bash
# The configuration files of the database-backed services: common sections, Keystone, Placement, Glance, Cinder.

db_url() { echo "mysql+pymysql://lab:$PASSWORD@$IP:$P_DB/$1?charset=utf8"; }
mq_url() { echo "rabbit://lab:$PASSWORD@$IP:$P_MQ/"; }
db_section() { # db_section SECTION DATABASE
  cat <<E
[$1]
connection = $(db_url "$2")
max_retries = -1
max_pool_size = 5
E
}
as_user() { # as_user NAME: the options of a service's own account
  cat <<E
auth_type = password
auth_url = $AUTH
username = $1
password = $PASSWORD
project_name = service
user_domain_name = Default
project_domain_name = Default
region_name = $REGION
E
}
common_sections() { # common_sections NAME: how a service checks tokens, locks and messages
  cat <<E
[keystone_authtoken]
www_authenticate_uri = $AUTH
$(as_user "$1")
service_token_roles = service
service_token_roles_required = true
[service_user]
send_service_user_token = true
$(as_user "$1")
[oslo_concurrency]
lock_path = $STATE/lock/$1
[oslo_messaging_notifications]
driver = noop
[oslo_messaging_rabbit]
heartbeat_in_pthread = false
E
}

config_folders() {
  mkdir -p "$ETC"/{keystone,glance,cinder,nova,neutron,placement,libvirt} "$LOG" "$RUN" \
    "$STATE"/lock/{keystone,glance,cinder,nova,neutron,placement} "$STATE"/glance/{images,staging,tasks,work} \
    "$STATE"/cinder/{mnt,conversion} "$STATE"/nova/{instances,mnt} "$STATE"/{keystone,neutron,share,bin,done}
}

config_keystone() {
  cat >"$ETC/keystone/keystone.conf" <<E
[DEFAULT]
log_file = $LOG/keystone.log
public_endpoint = http://$IP:$P_KEYSTONE
$(db_section database keystone)
[identity]
# fast hashing: these passwords guard nothing
password_hash_rounds = 4
[token]
provider = fernet
expiration = 14400
[fernet_tokens]
key_repository = $STATE/keystone/fernet-keys
[fernet_receipts]
key_repository = $STATE/keystone/fernet-keys
[credential]
key_repository = $STATE/keystone/credential-keys
[oslo_messaging_notifications]
driver = noop
E
}

config_placement() {
  cat >"$ETC/placement/placement.conf" <<E
[DEFAULT]
log_file = $LOG/placement.log
[api]
auth_strategy = keystone
$(db_section placement_database placement)
$(common_sections placement)
E
}

config_glance() {
  cat >"$ETC/glance/glance-api.conf" <<E
[DEFAULT]
log_file = $LOG/glance-api.log
bind_host = $IP
bind_port = $P_GLANCE
workers = 1
worker_self_reference_url = http://$IP:$P_GLANCE
enabled_backends = file:file
enabled_import_methods = [glance-direct,web-download,copy-image]
[glance_store]
default_backend = file
[file]
filesystem_store_datadir = $STATE/glance/images
[import_filtering_opts]
# web-download lets only ports 80 and 443 pass unless told
allowed_ports = []
[os_glance_staging_store]
filesystem_store_datadir = $STATE/glance/staging
[os_glance_tasks_store]
filesystem_store_datadir = $STATE/glance/tasks
[task]
work_dir = $STATE/glance/work
[paste_deploy]
flavor = keystone
config_file = /etc/glance/glance-api-paste.ini
$(db_section database glance)
$(common_sections glance)
E
}

config_cinder() { # the backend is a folder, reached as an NFS share: volume ID is the sparse file share/volume-ID
  echo "$IP:$STATE/share" >"$ETC/cinder/shares"
  cat >"$ETC/cinder/cinder.conf" <<E
[DEFAULT]
log_dir = $LOG
host = $HOST_NAME
my_ip = $IP
state_path = $STATE/cinder
transport_url = $(mq_url)
auth_strategy = keystone
osapi_volume_listen = $IP
osapi_volume_listen_port = $P_CINDER
osapi_volume_workers = 1
api_paste_config = /etc/cinder/api-paste.ini
rootwrap_config = /etc/cinder/rootwrap.conf
resource_query_filters_file = /etc/cinder/resource_filters.json
enabled_backends = nfs
default_volume_type = lab
storage_availability_zone = nova
glance_api_servers = http://$IP:$P_GLANCE
image_conversion_dir = $STATE/cinder/conversion
enable_force_upload = true
periodic_interval = 20
[nfs]
volume_driver = cinder.volume.drivers.nfs.NfsDriver
volume_backend_name = nfs
nfs_shares_config = $ETC/cinder/shares
nfs_mount_point_base = $STATE/cinder/mnt
nfs_sparsed_volumes = true
nfs_snapshot_support = true
nas_secure_file_operations = false
nas_secure_file_permissions = false
max_over_subscription_ratio = 20
image_volume_cache_enabled = false
volume_clear = none
[nova]
$(as_user nova)
$(db_section database cinder)
$(common_sections cinder)
E
}
