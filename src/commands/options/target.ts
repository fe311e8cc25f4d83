import { z } from 'zod';
import type { Command } from 'commander';
import type { Cloud, CloudConfig } from '../../openstack/index.js';
import { systemCode, type Context } from '../../core/index.js';
import type { App } from '../app.js';

/** The options that name the cloud; like the OpenStack client's, each wins over its variable. */
const osOptions = [
  ['auth-url', 'auth_url', "Keystone's URL"],
  ['project-name', 'project_name', 'the project'],
  ['project-id', 'project_id', 'the project, by id'],
  ['project-domain-name', 'project_domain_name', "the project's domain"],
  ['username', 'username', 'the user'],
  ['user-domain-name', 'user_domain_name', "the user's domain"],
  ['region-name', 'region_name', 'the region'],
  ['interface', 'interface', 'public, internal or admin'],
  ['cacert', 'cacert', 'a CA bundle (PEM)'],
] as const;

export function addTargetOptions(command: Command): Command {
  command
    .optionsGroup('Target:')
    .option(
      '--os-cloud <name>',
      'a cloud of clouds.yaml (OS_CLOUD); passwords and secrets come from there or from OS_*',
    );
  for (const [flag, , help] of osOptions) {
    command.option(`--os-${flag} <value>`, `${help} (OS_${flag.toUpperCase().replaceAll('-', '_')})`);
  }
  return command;
}

export const targetSchema = z.object({
  osCloud: z.string().optional(),
  osAuthUrl: z.string().optional(),
  osProjectName: z.string().optional(),
  osProjectId: z.string().optional(),
  osProjectDomainName: z.string().optional(),
  osUsername: z.string().optional(),
  osUserDomainName: z.string().optional(),
  osRegionName: z.string().optional(),
  osInterface: z.string().optional(),
  osCacert: z.string().optional(),
});
export type TargetOptions = z.infer<typeof targetSchema>;

/** The configuration of the cloud that is meant. */
export async function cloudConfig(app: App, options: TargetOptions): Promise<CloudConfig> {
  const { loadCloudConfig } = await import('../../openstack/index.js');
  const given = options as Record<string, string | undefined>;
  const overrides: Record<string, string> = {};
  for (const [flag, key] of osOptions) {
    const value = given[`os-${flag}`.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())];
    if (value !== undefined) overrides[key] = value;
  }
  return loadCloudConfig({
    env: app.env,
    cwd: app.cwd,
    home: app.home,
    ...(options.osCloud === undefined ? {} : { cloud: options.osCloud }),
    overrides,
    readFile: async (path) => {
      const { readFile, stat } = await import('node:fs/promises');
      try {
        return { text: await readFile(path, 'utf8'), mode: (await stat(path)).mode & 0o777 };
      } catch (error) {
        if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return undefined;
        throw error;
      }
    },
  });
}

/** Logs in to the cloud that is meant. */
export async function openCloud(app: App, options: TargetOptions, ctx: Context): Promise<Cloud> {
  const { connectCloud } = await import('../../openstack/index.js');
  const { readFile } = await import('node:fs/promises');
  const config = await cloudConfig(app, options);
  return connectCloud(config, ctx, { readFile: (path) => readFile(path, 'utf8') });
}
