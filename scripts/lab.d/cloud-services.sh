# shellcheck shell=bash
# Starting what the cloud is made of: database, message queue, schemas, APIs, agents.

# ---- MariaDB: durability is not wanted here, speed is
mariadb_root() { mariadb --no-defaults -uroot -S "$RUN/mysql.sock" "$@"; }
start_db() {
  local data=$STATE/mysql name
  if [[ ! -d $data ]]; then # made aside: a killed run leaves no half of one
    say 'mariadb: new data folder'
    rm -rf "$data.new"
    mariadb-install-db --no-defaults --user=root --datadir="$data.new" --auth-root-authentication-method=normal \
      --skip-test-db >"$LOG/mariadb-install.log" 2>&1 || die "mariadb-install-db, see $LOG/mariadb-install.log"
    mv "$data.new" "$data"
  fi
  bg mariadb mariadbd --no-defaults --user=root --datadir="$data" --bind-address="$IP" --port="$P_DB" \
    --socket="$RUN/mysql.sock" --pid-file="$RUN/mysqld.pid" --max-connections=600 --skip-name-resolve --skip-log-bin \
    --innodb-flush-log-at-trx-commit=0 --innodb-doublewrite=0 --innodb-buffer-pool-size=256M \
    --innodb-flush-method=nosync --character-set-server=utf8 --collation-server=utf8_general_ci --performance-schema=OFF
  wait_up 120 mariadb mariadb_root -e 'select 1'
  {
    for name in keystone glance cinder placement nova nova_api nova_cell0 neutron; do
      echo "create database if not exists $name;"
    done
    echo "create user if not exists 'lab'@'%' identified by '$PASSWORD'; grant all on *.* to 'lab'@'%';"
  } | mariadb_root
}

# ---- RabbitMQ, with an epmd of its own, which it would else leave behind
rabbit_env() {
  export RABBITMQ_NODENAME=stackferry$OFFSET@localhost RABBITMQ_NODE_IP_ADDRESS=$IP RABBITMQ_NODE_PORT=$P_MQ \
    RABBITMQ_DIST_PORT=$P_MQ_DIST RABBITMQ_MNESIA_BASE=$STATE/rabbit/mnesia RABBITMQ_LOG_BASE=$LOG/rabbit \
    RABBITMQ_PID_FILE=$RUN/rabbit-node.pid RABBITMQ_ENABLED_PLUGINS_FILE=$STATE/rabbit/plugins \
    RABBITMQ_CONFIG_FILE=$STATE/rabbit/rabbitmq RABBITMQ_CONF_ENV_FILE=/dev/null \
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-kernel inet_dist_use_interface {127,0,0,1} +sbwt none' \
    ERL_EPMD_PORT=$P_EPMD ERL_EPMD_ADDRESS=$IP HOME=$STATE/rabbit
}
rabbit_ctl() (
  rabbit_env
  exec /usr/lib/rabbitmq/bin/rabbitmqctl -q "$@"
)
start_mq() {
  mkdir -p "$STATE/rabbit/mnesia" "$LOG/rabbit"
  echo '[].' >"$STATE/rabbit/plugins"
  cat >"$STATE/rabbit/rabbitmq.conf" <<E
listeners.tcp.1 = $IP:$P_MQ
default_user = lab
default_pass = $PASSWORD
loopback_users = none
disk_free_limit.absolute = 50MB
E
  bg epmd epmd -address "$IP" -port "$P_EPMD"
  wait_up 20 epmd bash -c "exec 3<>/dev/tcp/$IP/$P_EPMD"
  (
    rabbit_env
    bg rabbitmq /usr/lib/rabbitmq/bin/rabbitmq-server
  )
}
wait_mq() { wait_up 180 rabbitmq rabbit_ctl await_startup --timeout 60; }
neutron_listens() { # both queues of its agents have a consumer
  [[ $(rabbit_ctl list_queues name consumers 2>/dev/null |
    awk '($1 == "q-plugin" || $1 == "q-reports-plugin") && $2 > 0' | wc -l) == 2 ]]
}

# ---- schemas: one mark a schema and package version, so that an upgraded package syncs again
sync_schema() { # sync_schema NAME PACKAGE CMD…
  local name=$1 version mark
  # shellcheck disable=SC2016
  version=$(dpkg-query -W -f='${Version}' "$2")
  mark=$STATE/done/schema-$name-${version//[:\/]/_}
  shift 2
  [[ ! -e $mark ]] || return 0
  say "schema: $name"
  "$@" >>"$LOG/schema-$name.log" 2>&1 || die "schema of $name, see $LOG/schema-$name.log"
  touch "$mark"
}
nova_cells() { # `create_cell` says 2 where it is there already
  local nova=(nova-manage --config-file "$ETC/nova/nova.conf") rc=0
  "${nova[@]}" cell_v2 map_cell0 --database_connection "$(db_url nova_cell0)" || return 1
  "${nova[@]}" cell_v2 create_cell --name cell1 --verbose || rc=$?
  [[ $rc == 0 || $rc == 2 ]]
}
schemas() {
  local pid jobs=() failed=''
  (
    sync_schema keystone keystone keystone-manage --config-file "$ETC/keystone/keystone.conf" db_sync
    sync_schema cinder cinder-api cinder-manage --config-file "$ETC/cinder/cinder.conf" db sync
    sync_schema glance glance-api glance-manage --config-file "$ETC/glance/glance-api.conf" db_sync
    sync_schema placement placement-api placement-manage --config-file "$ETC/placement/placement.conf" db sync
  ) &
  jobs+=($!)
  (
    sync_schema nova_api nova-api nova-manage --config-file "$ETC/nova/nova.conf" api_db sync
    sync_schema nova_cells nova-api nova_cells
    sync_schema nova nova-api nova-manage --config-file "$ETC/nova/nova.conf" db sync
  ) &
  jobs+=($!)
  (
    sync_schema neutron neutron-server neutron-db-manage --config-file "$ETC/neutron/neutron.conf" \
      --config-file "$ETC/neutron/ml2.ini" upgrade head
  ) &
  jobs+=($!)
  for pid in "${jobs[@]}"; do wait "$pid" || failed=1; done
  [[ -z $failed ]] || die 'the database schemas are not complete'
}

bootstrap_keystone() {
  local manage=(keystone-manage --config-file "$ETC/keystone/keystone.conf") url=http://$IP:$P_KEYSTONE/v3/
  [[ ! -e $STATE/done/bootstrap ]] || return 0
  say 'keystone: keys, first account'
  {
    "${manage[@]}" fernet_setup --keystone-user root --keystone-group root &&
      "${manage[@]}" credential_setup --keystone-user root --keystone-group root &&
      OS_BOOTSTRAP_PASSWORD=$PASSWORD "${manage[@]}" bootstrap --bootstrap-region-id "$REGION" \
        --bootstrap-admin-url "$url" --bootstrap-internal-url "$url" --bootstrap-public-url "$url"
  } >>"$LOG/bootstrap.log" 2>&1 || die "keystone's bootstrap, see $LOG/bootstrap.log"
  touch "$STATE/done/bootstrap"
}

# An API under uwsgi. It ends each connection after one answer, and must say so: clients that keep connections would
# meet ECONNRESET now and then.
bg_wsgi() { # bg_wsgi NAME PORT FILE PROCESSES
  bg "$1" uwsgi --plugin python3 --http-socket "$IP:$2" --wsgi-file "$3" --master --processes "$4" --threads 4 \
    --enable-threads --lazy-apps --need-app --die-on-term --no-orphans --buffer-size 65535 --post-buffering 65536 \
    --thunder-lock --add-header 'Connection: close' --procname-prefix "stackferry-lab $1 "
}
start_keystone() {
  OS_KEYSTONE_CONFIG_FILES=keystone.conf OS_KEYSTONE_CONFIG_DIR=$ETC/keystone \
    bg_wsgi keystone "$P_KEYSTONE" /usr/bin/keystone-wsgi-public 2
  wait_up 120 keystone answers keystone
}
start_apis() {
  local cinder=(--config-file "$ETC/cinder/cinder.conf") nova=(--config-file "$ETC/nova/nova.conf") name
  OS_PLACEMENT_CONFIG_DIR=$ETC/placement bg_wsgi placement "$P_PLACEMENT" /usr/bin/placement-api 1
  bg glance-api glance-api --config-file "$ETC/glance/glance-api.conf"
  for name in cinder-api cinder-scheduler cinder-volume; do bg $name $name "${cinder[@]}"; done
  bg neutron-server neutron-server --config-file "$ETC/neutron/neutron.conf" --config-file "$ETC/neutron/ml2.ini" \
    --log-file "$LOG/neutron-server.log"
  for name in nova-conductor nova-scheduler nova-api; do bg $name $name "${nova[@]}"; done
  wait_up 180 placement answers placement
}
start_libvirtd() {
  alive libvirtd || rm -f /run/libvirt/libvirt-sock /run/libvirt/libvirt-sock-ro
  bg libvirtd libvirtd -f "$ETC/libvirt/libvirtd.conf" -p "$RUN/libvirtd.own.pid"
  wait_up 120 libvirtd virsh -q -c qemu:///system version
  bg nova-compute nova-compute --config-file "$ETC/nova/nova.conf"
}
# Only when the server listens: what the agents send before is lost, and they wait a minute for the answer.
start_agents() {
  local base=(--config-file "$ETC/neutron/neutron.conf") name
  alive neutron-dhcp || wait_up 120 neutron-server neutron_listens
  PATH=$STATE/bin:$PATH bg neutron-linuxbridge neutron-linuxbridge-agent "${base[@]}" \
    --config-file "$ETC/neutron/linuxbridge.ini" --log-file "$LOG/neutron-linuxbridge.log"
  for name in dhcp metadata; do
    bg neutron-$name neutron-$name-agent "${base[@]}" --config-file "$ETC/neutron/$name.ini" \
      --log-file "$LOG/neutron-$name.log"
  done
}
declare -A API_PORTS=([keystone]=$P_KEYSTONE [placement]=$P_PLACEMENT [glance-api]=$P_GLANCE [cinder-api]=$P_CINDER
  [neutron-server]=$P_NEUTRON [nova-api]=$P_NOVA)
answers() { [[ -z ${API_PORTS[$1]:-} ]] || http_up "http://$IP:${API_PORTS[$1]}/"; } # answers NAME: if it is an API
wait_apis() {
  local name
  for name in "${!API_PORTS[@]}"; do wait_up 240 "$name" answers "$name"; done
}
dhcp_up() { # a dnsmasq for each network: a port's state would not tell, it is the last run's
  local network pid
  for network in $(mariadb_root -N neutron -e 'select distinct network_id from subnets where enable_dhcp=1'); do
    read -r pid <"$STATE/neutron/dhcp/$network/pid" && [[ -n $(starttime "$pid") ]] || return 1
  done
}
