import { z } from 'zod';

/** The forms of DESIGN.md's contract, written out once more: the tests must not read them from the program. */

const migrationError = z.strictObject({ code: z.string(), message: z.string(), hint: z.string().nullable() });
const contentHash = z.string().regex(/^sha256-4m:[0-9a-f]{64}$/);

const migratedVm = z.strictObject({
  vm: z.string().nullable(),
  id: z.string().nullable(),
  state: z.enum(['done', 'failed', 'stopped', 'running', 'rolled_back']),
  server_id: z.uuid().nullable(),
  image_ids: z.array(z.uuid()),
  volumes: z.array(
    z.strictObject({
      label: z.string(),
      volume_id: z.uuid(),
      size_gib: z.int(),
      capacity_bytes: z.int().nullable(),
      content_hash: contentHash.nullable(),
    }),
  ),
  ports: z.array(
    z.strictObject({
      label: z.string(),
      port_id: z.uuid(),
      mac: z.string().regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/),
      ip_addresses: z.array(z.string()),
    }),
  ),
  error: migrationError.nullable(),
  // Beyond the contract: how the boot was seen, what was proved, what was warned of.
  boot: z.strictObject({ proved: z.boolean(), by: z.string(), seen: z.string() }).nullable(),
  proof: z.array(
    z.strictObject({
      label: z.string(),
      content_hash: contentHash.nullable(),
      image: z.enum(['equal', 'not made']),
      image_hash: z.string().nullable(),
      compared: z.string().nullable(),
      volume: z.enum(['equal', 'not read back', 'not made']),
    }),
  ),
  warnings: z.array(z.strictObject({ code: z.string(), message: z.string() })),
});

/** `migrate -f json`. */
export const migrationResult = z.strictObject({
  run: z.string(),
  state: z.enum(['done', 'failed', 'stopped', 'running', 'rolled_back']),
  vms: z.array(migratedVm),
});
export type MigrationResult = z.infer<typeof migrationResult>;

/** `rollback -f json`: the same, with what went and what did not. */
export const rollbackResult = migrationResult.extend({
  removed: z.array(z.strictObject({ kind: z.string(), id: z.string().nullable(), name: z.string() })),
  left: z.array(z.strictObject({ resource: z.string(), message: z.string() })),
  kept_files: z.array(z.string()),
});

/** `export -f json` and `convert -f json`. */
export const filesResult = z.strictObject({
  run: z.string().nullable(),
  vm: z.string().nullable(),
  disks: z.array(
    z.strictObject({
      label: z.string(),
      path: z.string().startsWith('/'),
      format: z.enum(['vmdk', 'raw', 'qcow2']),
      capacity_bytes: z.int(),
      bytes: z.int(),
      content_hash: contentHash.nullable(),
      sha256: z
        .string()
        .regex(/^[0-9a-f]{64}$/)
        .nullable(),
    }),
  ),
});

/** `status -f json`: a run's result, live. */
export const statusResult = migrationResult.extend({
  steps: z.array(z.strictObject({ step: z.string(), state: z.string(), seconds: z.number().nullable() })),
  progress: z
    .strictObject({
      worker: z.int().nullable(),
      at: z.string(),
      step: z.string().nullable(),
      tasks: z.array(
        z.strictObject({
          task: z.string(),
          label: z.string(),
          done: z.number(),
          total: z.number(),
          rate: z.number(),
          state: z.string().nullable(),
        }),
      ),
    })
    .nullable(),
});
