/** Cinder: volume types, zones, messages, and the lists of what this cloud has none of. */
import { Refusal, param, projectOf, type Call, type Route } from '../http.js';
import type { CloudState, VolumeType } from '../state.js';

/** By name or id; the default type where none is named. */
export function volumeTypeOf(state: CloudState, ref: string | undefined): VolumeType {
  const first = state.volumeTypes[0];
  if (ref === undefined || ref === '') {
    if (!first) throw new Refusal(500, 'The cloud has no volume type.');
    return first;
  }
  const type = state.volumeTypes.find((one) => one.id === ref) ?? state.volumeTypes.find((one) => one.name === ref);
  if (!type) throw new Refusal(404, `Volume type with name ${ref} could not be found.`);
  return type;
}

function view(type: VolumeType): object {
  return {
    id: type.id,
    name: type.name,
    is_public: true,
    description: type.description,
    extra_specs: {},
    'os-volume-type-access:is_public': true,
  };
}

function messages(call: Call): object[] {
  if (call.minor < 3) throw new Refusal(404, 'The resource could not be found.');
  const project = projectOf(call);
  const wanted = call.query.get('resource_uuid');
  return call.core.state.messages
    .filter((one) => one.project_id === project.id && (wanted === null || wanted === one.resource_uuid))
    .map(({ project_id, ...rest }) => ({
      ...rest,
      links: [
        { rel: 'self', href: `${call.root}/v3/${project_id}/messages/${rest.id}` },
        { rel: 'bookmark', href: `${call.root}/${project_id}/messages/${rest.id}` },
      ],
    }));
}

const BASE = '/v3/:project';

export const typeRoutes: Route[] = [
  {
    method: 'GET',
    pattern: `${BASE}/types`,
    handle: (call) => ({ status: 200, body: { volume_types: call.core.state.volumeTypes.map(view) } }),
  },
  {
    method: 'GET',
    pattern: `${BASE}/types/:type`,
    handle: (call) => {
      const ref = param(call, 'type');
      const { state } = call.core;
      const type = ref === 'default' ? state.volumeTypes[0] : state.volumeTypes.find((one) => one.id === ref);
      if (!type) throw new Refusal(404, `Volume type ${ref} could not be found.`);
      return { status: 200, body: { volume_type: view(type) } };
    },
  },
  {
    method: 'GET',
    pattern: `${BASE}/os-availability-zone`,
    handle: (call) => ({
      status: 200,
      body: {
        availabilityZoneInfo: call.core.state.volumeZones.map((zoneName) => ({
          zoneName,
          zoneState: { available: true },
        })),
      },
    }),
  },
  {
    method: 'GET',
    pattern: `${BASE}/messages`,
    handle: (call) => ({ status: 200, body: { messages: messages(call) } }),
  },
  { method: 'GET', pattern: `${BASE}/snapshots`, handle: () => ({ status: 200, body: { snapshots: [] } }) },
  { method: 'GET', pattern: `${BASE}/snapshots/detail`, handle: () => ({ status: 200, body: { snapshots: [] } }) },
  { method: 'GET', pattern: `${BASE}/extensions`, handle: () => ({ status: 200, body: { extensions: [] } }) },
];
