/** All there is, as ids, for comparisons before and after. */
import type { CloudState } from './state.js';
import type { Inventory } from './types.js';

/** @throws Error when there is no project of that name */
export function inventoryOf(state: CloudState, projectName?: string): Inventory {
  const project = state.projects.find((one) => one.name === projectName);
  if (projectName !== undefined && !project) throw new Error(`no project ${projectName}`);
  const ids = <T extends { id: string }>(items: T[], owner: (item: T) => string): string[] =>
    items
      .filter((item) => project === undefined || owner(item) === project.id)
      .map((item) => item.id)
      .sort();
  return {
    images: ids(state.images, (one) => one.owner),
    volumes: ids(state.volumes, (one) => one.project_id),
    attachments: ids(state.attachments, (one) => one.project_id),
    servers: ids(state.servers, (one) => one.project_id),
    ports: ids(state.ports, (one) => one.project_id),
    networks: ids(state.networks, (one) => one.project_id),
    subnets: ids(state.subnets, (one) => one.project_id),
    securityGroups: ids(state.securityGroups, (one) => one.project_id),
    keypairs: state.keypairs.map((one) => one.name).sort(),
  };
}
