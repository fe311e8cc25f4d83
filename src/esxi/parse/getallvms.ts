/** A line of `vim-cmd vmsvc/getallvms` that looks like a VM. */
export interface ListedVm {
  id: string;
  name: string;
  /** Datastore form: `[datastore1] web 01/web 01.vmx`. */
  vmxPath: string;
  guestId: string | null;
  /** `vmx-19`. */
  version: string | null;
  /** The last column and the lines that follow; trailing blanks are padding and left out. */
  annotation: string;
}

export interface VmListing {
  vms: ListedVm[];
  /** Ids of which the host says that it skips them as invalid. */
  invalidIds: string[];
}

/** Names, paths and padding are far shorter; what lies beyond is annotation and is not searched. */
const SEARCHED = 4096;

/**
 * `ID NAME [DATASTORE] PATH.vmx GUEST vmx-NN ANNOTATION`. The columns are as wide as they need to be and the header
 * is not aligned with them, so a line is known by its shape: what stands between the path's end and `vmx-NN` is found
 * first, for the annotation behind may hold anything; the file column begins at the last bracket before, for a name may
 * hold brackets too. A template's path ends in `.vmtx`.
 */
function matchLine(line: string): ListedVm | null {
  const begin = /^\s*(\d{1,10})\s+(?=\S)/.exec(line);
  if (!begin) return null;
  const rest = line.slice(begin[0].length);
  const searched = rest.slice(0, SEARCHED);
  const end = /\.vmt?x\s+(?:(?!vmx-\d)(\S+)\s+)?(vmx-\d+)(?=\s|$)/.exec(searched);
  if (!end) return null;
  const left = searched.slice(0, end.index) + (/^\.vmt?x/.exec(end[0])?.[0] ?? '');
  const file = [...left.matchAll(/\s{2,}(?=\[[^\]]*\] ?\S)/g)].at(-1);
  if (!file) return null;
  return {
    id: (begin[1] ?? '').replace(/^0+(?=\d)/, ''),
    name: left.slice(0, file.index).trimEnd(),
    vmxPath: left.slice(file.index).trimStart(),
    guestId: end[1] ?? null,
    version: end[2] ?? null,
    annotation: rest.slice(end.index + end[0].length).trim(),
  };
}

/**
 * Reads `vim-cmd vmsvc/getallvms` (ESXi 5.x to 8.0). Lines before the first VM are the header, whatever its language;
 * every line that has not the shape of a VM belongs to the annotation above it. An annotation may itself hold such a
 * line: the caller keeps only the ids that `get.summary` knows. Of two lines with one id the first is kept.
 */
export function parseGetAllVms(stdout: string, stderr = ''): VmListing {
  const vms = new Map<string, ListedVm>();
  const invalidIds = new Set<string>();
  let current: ListedVm | null = null;
  for (const raw of stdout.split('\n')) {
    const line = raw.replace(/\r+$/, '');
    const vm = matchLine(line);
    if (vm) {
      current = vm;
      if (!vms.has(vm.id)) vms.set(vm.id, vm);
    } else if (current) {
      current.annotation += `\n${line.trimEnd()}`;
    } else {
      noteInvalid(line, invalidIds);
    }
  }
  for (const vm of vms.values()) vm.annotation = vm.annotation.trimEnd();
  for (const line of stderr.split('\n')) noteInvalid(line, invalidIds);
  return { vms: [...vms.values()], invalidIds: [...invalidIds] };
}

function noteInvalid(line: string, ids: Set<string>): void {
  const id = /\binvalid VM\s+'?(\d+)'?/i.exec(line)?.[1];
  if (id !== undefined) ids.add(id);
}
