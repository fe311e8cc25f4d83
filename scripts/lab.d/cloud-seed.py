"""Fills the lab's cloud through its own APIs; each function may run again and adds only what is missing.

usage: cloud-seed.py identity            accounts, catalog, application credential
       cloud-seed.py resources           flavors, volume types, networks, quotas, an image
What it needs beyond clouds.yaml comes as LAB_* variables, from cloud.sh.
"""
import os
import sys

import openstack

ENV = os.environ
DOMAIN = 'default'


# ---- identity

def identity():
    admin = openstack.connect(cloud='lab-admin').identity
    roles = {role.name: role for role in admin.roles()}
    for name in ('service', 'member', 'reader'):
        roles.setdefault(name, None)
        roles[name] = roles[name] or admin.create_role(name=name)

    def project(name, text=''):
        return admin.find_project(name, domain_id=DOMAIN) or admin.create_project(
            name=name, domain_id=DOMAIN, description=text)

    def user(name, of, *role_names):
        found = admin.find_user(name, domain_id=DOMAIN) or admin.create_user(
            name=name, password=ENV['LAB_PASSWORD'], domain_id=DOMAIN, default_project_id=of.id)
        for role in role_names:
            admin.assign_project_role_to_user(of, found, roles[role])

    service = project('service')
    for name in ('glance', 'cinder', 'placement', 'nova', 'neutron'):
        user(name, service, 'admin', 'service')
    user('lab', project('lab', 'where migrated servers go'), 'member', 'reader')
    user('lab', project('lab-poor', 'quotas of one server, one volume, one GiB'), 'member', 'reader')
    # user lab has no role in project lab-other, and user lab-other none in project lab
    user('lab-other', project('lab-other', 'somebody else'), 'member', 'reader')
    catalog(admin)
    application_credential(ENV['LAB_APPCRED'])


def catalog(admin):
    services = {service.type: service for service in admin.services()}
    endpoints = {(e.service_id, e.interface): e for e in admin.endpoints()}
    volume = ENV['LAB_CINDER'] + '/v3/%(project_id)s'
    for name, kind, url in (
            ('glance', 'image', ENV['LAB_GLANCE']), ('placement', 'placement', ENV['LAB_PLACEMENT']),
            ('nova', 'compute', ENV['LAB_NOVA'] + '/v2.1'), ('neutron', 'network', ENV['LAB_NEUTRON']),
            ('cinderv3', 'volumev3', volume), ('cinder', 'block-storage', volume)):
        service = services.get(kind) or admin.create_service(name=name, type=kind)
        for interface in ('public', 'internal', 'admin'):
            if (service.id, interface) not in endpoints:
                admin.create_endpoint(
                    service_id=service.id, interface=interface, url=url, region_id=ENV['LAB_REGION'])


def application_credential(path):
    """Its secret is shown once: a credential whose file is lost is made anew."""
    if os.path.exists(path):
        return
    lab = openstack.connect(cloud='lab')
    user = lab.session.get_user_id()
    for old in lab.identity.application_credentials(user):
        if old.name == 'lab':
            lab.identity.delete_application_credential(user, old)
    new = lab.identity.create_application_credential(user, name='lab', unrestricted=False)
    with open(os.open(path + '.new', os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), 'w') as file:
        file.write(f'{new.id} {new.secret}\n')
    os.rename(path + '.new', path)


# ---- resources

# The mandatory flavors of Sovereign Cloud Stack (scs-0103): NAME-RAM_GIB[-DISK_GB s]
SCS = '1L-1 1V-2 1V-4 1V-8 2V-4 2V-8 2V-16 2V-4-20s 4V-8 4V-16 4V-32 4V-16-100s 8V-16 8V-32 16V-32'.split()
SMALL = (('lab.tiny', 1, 256, 0), ('lab.small', 1, 512, 1), ('lab.medium', 2, 2048, 0))


def flavors(admin):
    there = {flavor.name for flavor in admin.compute.flavors()}
    for name, cpus, ram, disk in SMALL:
        if name not in there:
            admin.compute.create_flavor(name=name, vcpus=cpus, ram=ram, disk=disk)
    for short in SCS:
        name = 'SCS-' + short
        if name in there:
            continue
        cpus, ram, *disk = short.split('-')
        disk = int(disk[0].rstrip('s')) if disk else 0
        flavor = admin.compute.create_flavor(name=name, vcpus=int(cpus[:-1]), ram=int(ram) * 1024, disk=disk)
        specs = {'scs:name-v1': 'SCS-' + short.replace('-', ':'), 'scs:name-v2': name,
                 'scs:cpu-type': 'crowded-core' if 'L' in cpus else 'shared-core'}
        if disk:
            specs['scs:disk0-type'] = 'ssd'
        admin.compute.create_flavor_extra_specs(flavor, specs)


def volume_types(admin):
    """The aspects in brackets as on Sovereign Cloud Stack; here they are words, all types are one backend."""
    there = {kind.name for kind in admin.block_storage.types()}
    for name, text in (('lab', 'the default'), ('lab-fast', '[scs:replicated] fast'),
                       ('lab-encrypted', '[scs:encrypted] described so, not encrypted')):
        if name not in there:
            admin.block_storage.create_type(
                name=name, description=text, extra_specs={'volume_backend_name': 'nfs'})


def subnet(network, project, name, cidr, **more):
    if not network.find_subnet(name):
        owner = {'project_id': project} if project else {}
        net = network.find_network(more.pop('of'))
        network.create_subnet(name=name, network_id=net.id, cidr=cidr, **owner, **more)


def networks(admin, project):
    """lab-net is the project's own: it may set MACs and addresses there. On the shared one that is refused."""
    network, own, shared = admin.network, ENV['LAB_PROJECT_NET'], ENV['LAB_PROVIDER_NET']
    six = ENV['LAB_PROJECT_NET6']
    if not network.find_network('lab-net'):
        network.create_network(name='lab-net', project_id=project)
    subnet(network, project, 'lab-subnet', own + '.0/24', of='lab-net', ip_version=4, gateway_ip=own + '.1',
           allocation_pools=[{'start': own + '.100', 'end': own + '.199'}])
    # stateful: a port that names its IPv4 address gets no IPv6 one unasked
    subnet(network, project, 'lab-subnet6', six + '::/64', of='lab-net', ip_version=6, gateway_ip=six + '::1',
           ipv6_address_mode='dhcpv6-stateful', ipv6_ra_mode='dhcpv6-stateful')
    if not network.find_network('lab-provider'):
        network.create_network(name='lab-provider', is_shared=True, provider_network_type='flat',
                               provider_physical_network='physnet1')
    subnet(network, None, 'lab-provider-subnet', shared + '.0/24', of='lab-provider', ip_version=4,
           gateway_ip=shared + '.1', allocation_pools=[{'start': shared + '.100', 'end': shared + '.199'}])


def security_groups(lab):
    def group(name, text, rules):
        if lab.network.find_security_group(name, project_id=lab.current_project_id):
            return
        made = lab.network.create_security_group(name=name, description=text)
        for rule in rules:
            lab.network.create_security_group_rule(security_group_id=made.id, direction='ingress', **rule)

    both = ('IPv4', 'IPv6')
    group('lab-open', 'everything in', [{'ethertype': family} for family in both])
    group('web_ssh', '22, 80, 443 and ping', [
        {'ethertype': family, 'protocol': 'tcp', 'port_range_min': port, 'port_range_max': port}
        for family in both for port in (22, 80, 443)
    ] + [{'ethertype': 'IPv4', 'protocol': 'icmp'}, {'ethertype': 'IPv6', 'protocol': 'ipv6-icmp'}])


def quotas(admin, project):
    admin.set_compute_quotas(project, instances=50, cores=200, ram=400 * 1024)
    admin.set_volume_quotas(project, volumes=200, gigabytes=5000, snapshots=100)
    admin.set_network_quotas(project, port=500, network=50)
    poor = admin.identity.find_project('lab-poor', domain_id=DOMAIN).id
    admin.set_compute_quotas(poor, instances=1)
    admin.set_volume_quotas(poor, volumes=1, gigabytes=1)


def image(lab, path):
    if not lab.image.find_image('lab-guest'):
        lab.create_image('lab-guest', filename=path, disk_format='qcow2', container_format='bare', wait=True,
                         hw_disk_bus='scsi', hw_scsi_model='virtio-scsi', os_type='linux', os_distro='debian')


def resources():
    admin, lab = openstack.connect(cloud='lab-admin'), openstack.connect(cloud='lab')
    flavors(admin)
    volume_types(admin)
    networks(admin, lab.current_project_id)
    security_groups(lab)
    quotas(admin, lab.current_project_id)
    image(lab, ENV['LAB_GUEST'])


if __name__ == '__main__':
    {'identity': identity, 'resources': resources}[sys.argv[1]]()
