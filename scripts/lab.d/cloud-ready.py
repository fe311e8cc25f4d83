"""Waits until every service of the lab's cloud reports itself up, saying what it waits for.

usage: cloud-ready.py SECONDS COMPUTE NOVA_CONF         COMPUTE is 1 where servers can run
"""
import subprocess
import sys
import time

import openstack


def missing(admin, compute, nova_conf):
    nova = {s.binary for s in admin.compute.services() if s.state == 'up'}
    cinder = admin.block_storage.get('/os-services').json()['services']
    there = nova | {s['binary'] for s in cinder if s['state'] == 'up'}
    wanted = ['nova-conductor', 'nova-scheduler', 'cinder-scheduler', 'cinder-volume']
    if compute:
        there |= {agent.agent_type for agent in admin.network.agents() if agent.is_alive}
        wanted += ['nova-compute', 'Linux bridge agent', 'DHCP agent', 'Metadata agent']
    lacking = [name for name in wanted if name not in there]
    if compute and 'nova-compute' in there and not list(admin.compute.hypervisors()):
        subprocess.run(['nova-manage', '--config-file', nova_conf, 'cell_v2', 'discover_hosts'],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        if not list(admin.compute.hypervisors()):
            lacking.append('the hypervisor')
    return lacking


def serve_dhcp(admin):
    """Networks made while no DHCP agent ran would get one only with their first port."""
    agent = next(agent for agent in admin.network.agents() if agent.agent_type == 'DHCP agent')
    for network in admin.network.networks():
        if network.subnet_ids and not list(admin.network.network_hosting_dhcp_agents(network)):
            admin.network.add_dhcp_agent_to_network(agent, network)


def main():
    seconds, compute, nova_conf = int(sys.argv[1]), sys.argv[2] == '1', sys.argv[3]
    admin, end, said = openstack.connect(cloud='lab-admin'), time.monotonic() + seconds, None
    while True:
        try:
            lacking = missing(admin, compute, nova_conf)
        except Exception as error:  # an API that is not there yet, in many guises
            lacking = [f'{type(error).__name__}: {error}']
        if not lacking:
            if compute:
                serve_dhcp(admin)
            return 0
        if time.monotonic() > end:
            print('       gave up waiting for', ', '.join(lacking), file=sys.stderr)
            return 1
        if lacking != said:
            print('       still waiting for', ', '.join(lacking), file=sys.stderr)
        said = lacking
        time.sleep(2)


sys.exit(main())
