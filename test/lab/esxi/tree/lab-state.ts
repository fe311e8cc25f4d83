import { open } from 'node:fs/promises';
import path from 'node:path';

import type { PowerState } from '../spec.js';
import { blockMapText, blockRuns } from './block-map.js';
import { bytesOf, type Layer } from './content.js';
import { keyedAnswers, processFragments, processRow, staticAnswers } from './esxcli.js';
import { csvHead, FORMATTERS, render, XML_LIST_HEAD, XML_LIST_TAIL } from './esxcli-format.js';
import { diskFolder, put } from './place.js';
import type { Host, Vm } from './resolve.js';
import * as texts from './vim-texts.js';
import { allVmsText } from './all-vms.js';
import { hostHardwareText, hostSummaryText, licenseText } from './host-texts.js';

// /etc/lab: what the shims print and the state that they keep.
const MIB = 1024 * 1024;
const POWERS: PowerState[] = ['on', 'off', 'suspended'];

/** What a running VM holds: its newest extents exclusively (1), the links below read-only (2). */
export function locksOf(vm: Vm): string {
  return vm.disks
    .filter((disk) => disk.spec.sharing === undefined)
    .flatMap((disk) =>
      disk.links.map(
        (link, level) => `${level === disk.links.length - 1 ? 1 : 2} ${diskFolder(disk)}/${link.extent}\n`,
      ),
    )
    .join('');
}

/** One VM's part. */
export function writeVmTexts(root: string, vm: Vm, host: Host): void {
  const dir = `/etc/lab/vms/${vm.id}`;
  writeStateTexts(root, dir, vm, host);
  put(root, `${dir}/tools`, `${vm.tools} ${vm.spec.shutdownSeconds ?? 1}\n`);
  put(root, `${dir}/power`, `${vm.power}\n`);
  for (const [formatter, text] of Object.entries(processFragments(vm))) {
    put(root, `${dir}/process.${formatter}`, text);
  }
}

/** What changes with a VM's snapshots. */
export function writeStateTexts(root: string, dir: string, vm: Vm, host: Host): void {
  for (const power of POWERS) {
    put(root, `${dir}/get.summary.${power}`, texts.summaryText(vm, power, host));
    put(root, `${dir}/get.guest.${power}`, texts.guestText(vm, power, host));
    put(root, `${dir}/get.config.${power}`, texts.configText(vm, power, host));
    put(root, `${dir}/device.getdevices.${power}`, texts.devicesText(vm, power, host));
  }
  put(root, `${dir}/snapshot.get`, texts.snapshotText(vm));
  put(root, `${dir}/locked`, locksOf(vm));
}

/** The host's part, the list of VMs and the locks. */
export function writeHostTexts(root: string, host: Host): void {
  const valid = host.vms.filter((vm) => vm.spec.invalid !== true);
  const rows = valid.map((vm) => ({
    id: vm.id,
    name: vm.name,
    file: texts.vmPath(vm),
    guestId: vm.guestId,
    version: `vmx-${String(vm.hardwareVersion).padStart(2, '0')}`,
    annotation: vm.spec.annotation ?? '',
  }));
  put(root, '/etc/lab/getallvms', allVmsText(rows));
  const invalid = host.vms.filter((vm) => vm.spec.invalid === true);
  put(root, '/etc/lab/invalid', invalid.map((vm) => `Skipping invalid VM '${vm.id}'\n`).join(''));
  put(root, '/etc/lab/license', licenseText(host));
  put(root, '/etc/lab/hostsummary', hostSummaryText(host));
  put(root, '/etc/lab/hosthardware', hostHardwareText(host));
  put(
    root,
    '/etc/lab/locks',
    valid
      .filter((vm) => vm.power === 'on')
      .map(locksOf)
      .join(''),
  );
  writeEsxcli(root, host);
}

const commandDir = (command: string) => `/etc/lab/esxcli/${command.replaceAll(' ', '.')}`;

function writeEsxcli(root: string, host: Host): void {
  for (const answer of staticAnswers(host)) {
    for (const formatter of FORMATTERS) {
      put(root, `${commandDir(answer.command)}/${formatter}`, render(answer, formatter));
    }
  }
  for (const keyed of keyedAnswers(host)) {
    put(root, `${commandDir(keyed.command)}/keys`, keyed.answers.map((one) => `${one.key}\n`).join(''));
    for (const [index, { answer }] of keyed.answers.entries()) {
      for (const formatter of FORMATTERS) {
        put(root, `${commandDir(keyed.command)}/${index + 1}.${formatter}`, render(answer, formatter));
      }
    }
  }
  const dir = commandDir('vm process list');
  const [any] = host.vms;
  const head = any === undefined ? '' : csvHead(processRow(any).row);
  const frame: Record<string, [string, string]> = {
    text: ['', ''],
    csv: [head, ''],
    xml: [XML_LIST_HEAD, XML_LIST_TAIL],
    keyvalue: ['', ''],
    json: ['[', ']\n'],
  };
  for (const [formatter, [first, last]] of Object.entries(frame)) {
    put(root, `${dir}/head.${formatter}`, first);
    put(root, `${dir}/tail.${formatter}`, last);
  }
}

/** Block maps of the flat extents, which must be there already. */
export async function writeMaps(root: string, host: Host): Promise<void> {
  const keys: string[] = [];
  const extents: string[] = [];
  for (const disk of host.vms.flatMap((vm) => vm.disks)) {
    const [base] = disk.links;
    const layer = disk.layers[0];
    if (base?.format !== 'flat' || layer === undefined || disk.spec.fault === 'missing-extent') continue;
    const filled = await filledBlocks(layer, path.join(root, diskFolder(disk), base.extent));
    const text = blockMapText(
      disk,
      blockRuns(disk.sizeBytes, (block) => filled.has(block), disk.thin),
    );
    for (const file of [base.file, base.extent]) {
      keys.push(`${diskFolder(disk)}/${file}\n`);
      extents.push(`${diskFolder(disk)}/${base.extent}\n`);
      put(root, `/etc/lab/maps/${keys.length}`, text);
    }
  }
  put(root, '/etc/lab/maps/keys', keys.join(''));
  put(root, '/etc/lab/maps/extents', extents.join(''));
}

async function filledBlocks(layer: Layer, extent: string): Promise<Set<number>> {
  const filled = new Set<number>();
  for (const write of layer.writes) {
    if (bytesOf(write).every((byte) => byte === 0)) continue;
    for (let at = write.offset; at < write.offset + write.length; at += 512) filled.add(Math.floor(at / MIB));
  }
  if (layer.image === undefined) return filled;
  const file = await open(extent, 'r');
  try {
    const block = Buffer.alloc(MIB);
    for (let index = 0; ; index += 1) {
      const { bytesRead } = await file.read(block, 0, MIB, index * MIB);
      if (bytesRead === 0) return filled;
      if (block.subarray(0, bytesRead).some((byte) => byte !== 0)) filled.add(index);
    }
  } finally {
    await file.close();
  }
}
