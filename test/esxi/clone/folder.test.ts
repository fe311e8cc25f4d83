import { describe, expect, it } from 'vitest';
import { removeFolder } from '../../../src/esxi/clone/folder.js';
import { isCloneFile, runOfName, withoutTurn } from '../../../src/esxi/clone/names.js';
import type { CommandResult, RemoteShell } from '../../../src/esxi/ssh/shell.js';
import { context } from '../harness.js';

const FOLDER = '[datastore1] stackferry-r1234567-1';

/** A shell that gives these answers one after the other, and what it was told. */
function shellOf(...answers: [exitCode: number, stdout?: string, stderr?: string][]) {
  const told: string[] = [];
  const run = (command: string): Promise<CommandResult> => {
    told.push(command);
    const [exitCode, stdout = '', stderr = ''] = answers.shift() ?? [99, '', 'nobody asked for that'];
    return Promise.resolve({ exitCode, stdout: Buffer.from(stdout), stderr });
  };
  const shell: RemoteShell = {
    name: 'root@esx1:22',
    run,
    stream: () => Promise.reject(new Error('nothing is streamed here')),
    roundTrips: 0,
    close: () => Promise.resolve(),
  };
  return { shell, told };
}

const quick = { ...context, clock: { now: () => 0, sleep: () => Promise.resolve() } };

describe('a folder of clones', () => {
  it('goes with the files that vmkfstools makes, each by its name', async () => {
    const { shell, told } = shellOf([0, 'scsi0-0-flat.vmdk\nscsi0-0.vmdk\n'], [0]);
    await removeFolder(shell, quick, FOLDER);
    expect(told[1]).toBe(
      "'rm' '-f' '/vmfs/volumes/datastore1/stackferry-r1234567-1/scsi0-0-flat.vmdk' " +
        "'/vmfs/volumes/datastore1/stackferry-r1234567-1/scsi0-0.vmdk' && 'rmdir' '/vmfs/volumes/datastore1/stackferry-r1234567-1'",
    );
  });

  it('is fine where it is not there', async () => {
    const { shell, told } = shellOf([4]);
    await removeFolder(shell, quick, FOLDER);
    expect(told).toHaveLength(1);
  });

  it.each([
    ['a file that is not ours', [0, "scsi0-0.vmdk\npayroll.vmdk; rm -rf '/'\n"]],
    ['a symbolic link', [3, 'link\n']],
  ] as const)('stays with %s', async (_, answer) => {
    const { shell, told } = shellOf([...answer]);
    await expect(removeFolder(shell, quick, FOLDER)).rejects.toMatchObject({ code: 'esxi.clone_left' });
    expect(told).toHaveLength(1);
  });

  it('stays where its name is none of ours: nothing is asked', async () => {
    for (const name of [
      '[datastore1] web01',
      '[datastore1] stackferry-r1234567',
      '[datastore1] stackferry-r1234567-1 x',
    ]) {
      const { shell, told } = shellOf();
      await expect(removeFolder(shell, quick, name)).rejects.toMatchObject({ code: 'esxi.clone_left' });
      expect(told).toEqual([]);
    }
  });

  it('is tried again while a clone that was stopped still holds a file', async () => {
    const busy = [1, '', "rm: can't remove 'scsi0-0-flat.vmdk': Device or resource busy\n"] as const;
    const list = [0, 'scsi0-0-flat.vmdk\n'] as const;
    const { shell, told } = shellOf([...list], [...busy], [...list], [0]);
    await removeFolder(shell, quick, FOLDER);
    expect(told).toHaveLength(4);
    const stuck = shellOf(
      ...Array.from({ length: 6 }, () => [[...list], [...busy]] as const)
        .flat()
        .map((one) => [...one] as [number, string, string?]),
    );
    await expect(removeFolder(stuck.shell, quick, FOLDER)).rejects.toMatchObject({
      code: 'esxi.clone_busy',
      hint: "By hand on the host: rm -r '/vmfs/volumes/datastore1/stackferry-r1234567-1'",
    });
  });
});

describe('names of ours', () => {
  it('are told from others', () => {
    expect(runOfName('stackferry-r1234567-12')).toBe('r1234567');
    for (const name of [
      'stackferry-r1234567-0',
      'stackferry-r123-1',
      'my stackferry-r1234567-1',
      'stackferry-R1234567-1',
    ]) {
      expect(runOfName(name)).toBeNull();
    }
    for (const name of ['scsi0-0.vmdk', 'nvme1-15-flat.vmdk', '.lck-3409000000000000'])
      expect(isCloneFile(name)).toBe(true);
    for (const name of ['web01.vmdk', 'scsi0-0.vmx', '../scsi0-0.vmdk', 'scsi0-0-000001.vmdk']) {
      expect(isCloneFile(name)).toBe(false);
    }
    expect(withoutTurn('/vmfs/volumes/ds/stackferry-r1234567-2/scsi0-0.vmdk')).toBe(
      '/vmfs/volumes/ds/stackferry-r1234567/scsi0-0.vmdk',
    );
    expect(withoutTurn('/vmfs/volumes/ds/web-2/scsi0-0.vmdk')).toBe('/vmfs/volumes/ds/web-2/scsi0-0.vmdk');
  });
});
