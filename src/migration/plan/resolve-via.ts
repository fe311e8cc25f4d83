import { StackferryError, isCode, type Context } from '../../core/index.js';
import { ATTACHMENTS_SINCE, type Cloud, type Server } from '../../openstack/index.js';
import { Brick, connectorTo, notRoot, thisServer } from '../../openstack/attach/index.js';
import type { ViaSection } from './sections.js';

/** How the bytes are to get into the volumes, as `--via` says it. */
export type Via = 'auto' | 'glance' | 'cinder';

/**
 * The way into the volumes. `auto` writes to the attached volume only where this machine is a server of the cloud, which
 * is known beforehand; whether it reaches the storage behind Cinder is known only by trying, so that is done where it is
 * asked for.
 * @param canRead false where the disks have to be staged as files first
 * @throws StackferryError `converter.no_attach` (exit code 3) where `cinder` is asked for and cannot be.
 */
export async function resolveVia(
  wanted: Via,
  canRead: boolean,
  { cloud, ctx, isRoot = process.getuid?.() === 0 }: { cloud: Cloud; ctx: Context; isRoot?: boolean },
): Promise<ViaSection> {
  const glance = (reason: string): ViaSection => ({ way: 'glance', reason, server_id: null });
  if (wanted === 'glance') return glance('--via glance');
  if (!canRead) {
    if (wanted === 'auto') return glance('the disks are copied to this machine first');
    throw noAttach('The disks are copied to this machine first, and go through images from there.', {
      hint: 'Leave --output out; disks whose files cannot be read in place go with --via glance',
    });
  }
  const server = await thisServer(cloud);
  if (wanted === 'auto') {
    if (!server) return glance('this machine is no server of the project');
    const not = !isRoot ? 'stackferry does not run as root' : server.status === 'ACTIVE' ? null : server.status;
    if (not !== null) return glance(`this machine is server ${server.name}, but ${not}`);
  }
  if (!isRoot) throw noAttach(notRoot().message, notRoot());
  if (server) return byServer(server);
  return byBackend(cloud, ctx);
}

/**
 * The ways for a plan: what `auto` comes to on this machine, looked at once for all VMs. What is asked for by name is not
 * tried: the plan may be run on another machine.
 */
export function viaForesight(
  cloud: Cloud,
  ctx: Context,
): (wanted: Via, canRead: boolean) => Promise<Pick<ViaSection, 'way' | 'reason'>> {
  const known = new Map<boolean, Promise<ViaSection>>();
  return (wanted, canRead) => {
    if (wanted !== 'auto') return Promise.resolve({ way: wanted, reason: `--via ${wanted}` });
    const way = known.get(canRead) ?? resolveVia('auto', canRead, { cloud, ctx });
    known.set(canRead, way);
    return way;
  };
}

function byServer({ id, name }: Server): ViaSection {
  return { way: 'cinder', reason: `this machine is server ${name} of the project; Nova attaches`, server_id: id };
}

async function byBackend(cloud: Cloud, ctx: Context): Promise<ViaSection> {
  if (!(await cloud.attachments.has(ATTACHMENTS_SINCE))) {
    throw noAttach(`Cinder of this cloud speaks no microversion ${ATTACHMENTS_SINCE}.`, { hint: 'Use --via glance.' });
  }
  try {
    const { version } = await connectorTo(await cloud.attachments.endpoint(), new Brick(ctx));
    return { way: 'cinder', reason: `--via cinder, connected by os-brick ${version}`, server_id: null };
  } catch (error) {
    if (!isCode(error, 'converter') && !isCode(error, 'cloud.attach_failed')) throw error;
    throw noAttach(`This machine is no server of the project, and ${lower(error.message)}`, error);
  }
}

function noAttach(why: string, of: { hint?: string | undefined }): StackferryError {
  return new StackferryError('converter.no_attach', `No volume can be attached to this machine: ${lower(why)}`, {
    hint: of.hint ?? 'Let the bytes go through an image: --via glance',
    exitCode: 3,
    ...(of instanceof Error ? { cause: of } : {}),
  });
}

/** A sentence within another one; names keep their capital. */
function lower(text: string): string {
  return /^[A-Z][a-z]/.test(text) && !/^(Cinder|Nova)/.test(text) ? text.charAt(0).toLowerCase() + text.slice(1) : text;
}
