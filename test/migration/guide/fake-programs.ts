import { execFile } from 'node:child_process';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * ssh, qemu-img and openstack that do nothing but write down how they were called, and answer as the real ones would.
 * ssh runs its command here, in a folder that stands for /vmfs/volumes.
 */
export interface FakePrograms {
  /** For the shell that runs the guide. */
  env: Record<string, string>;
  /** Where the guide is run. */
  cwd: string;
  /** Stands for /vmfs/volumes. */
  volumes: string;
  /** Every call so far: the program's name and its arguments, exactly. */
  calls(): Promise<string[][]>;
  /** Runs a script with `sh`, or the lines of a page with `bash`. */
  run(shell: 'sh' | 'bash', text: string, args?: readonly string[], typed?: string): Promise<Ran>;
}

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

const END = '-- end of a call --';

const RECORD = `#!/bin/sh
{ printf '%s\\0' "\${0##*/}" "$@"; printf '%s\\0' '${END}'; } >> "$FAKE/calls"
`;

/** The command is what follows the host; as sshd does, its words are joined and given to a shell. */
const SSH = `${RECORD}
while [ $# -gt 0 ]; do
  case $1 in
    -O) exit 0 ;;
    -o | -p) shift 2 ;;
    *) break ;;
  esac
done
shift
case "$*" in
  'vim-cmd vmsvc/power.getstate '*) echo 'Retrieved runtime info'; cat "$FAKE/power" ;;
  'vim-cmd vmsvc/power.shutdown '*) echo 'Powered off' > "$FAKE/power" ;;
  'vim-cmd vmsvc/get.summary '*) echo "   uuid = \\"$FAKE_UUID\\"," ;;
  *) exec sh -c "$(printf '%s' "$*" | sed "s|/vmfs/volumes|$FAKE_VOLUMES|g")" ;;
esac
`;

const QEMU_IMG = `${RECORD}
case $1 in
  convert) for last; do :; done; printf '%s' converted > "$last" ;;
  compare) echo 'Images are identical.' ;;
  info)
    case "$*" in
      *--backing-chain*) i=0; while [ $i -lt "$FAKE_LINKS" ]; do echo 'image: x'; i=$((i + 1)); done ;;
      *) echo "    \\"virtual-size\\": $FAKE_SIZE," ;;
    esac ;;
esac
`;

const OPENSTACK = `${RECORD}
new() { n=$(cat "$FAKE/count"); echo $((n + 1)) > "$FAKE/count"; printf '00000000-0000-4000-8000-%012d\\n' "$n"; }
case $1 in --os-compute-api-version) shift 2 ;; esac
verb="$1 $2"
case $verb in
  'image create')
    id=$(new)
    while [ "$1" != --file ]; do shift; done
    sha512sum < "$2" | cut -d ' ' -f 1 > "$FAKE/$id"
    echo "$id" ;;
  'image show') case "$*" in *json*) printf '"os_hash_value": "%s",\\n' "$(cat "$FAKE/$3")" ;; *) echo active ;; esac ;;
  'volume create' | 'server create') new ;;
  'port create') id=$(new); while [ $# -gt 0 ]; do [ "$1" != --mac-address ] || echo "$2" > "$FAKE/$id"; shift; done; echo "$id" ;;
  'port show') case "$*" in *json*) echo '    "ip_address": "10.0.0.9"' ;; *) cat "$FAKE/$3" 2>/dev/null || echo fa:16:3e:00:00:01 ;; esac ;;
  'volume set')
    for last; do :; done
    case "$*" in *--non-bootable*) echo false ;; *) echo true ;; esac > "$FAKE/$last" ;;
  'server add')
    [ ! -e "$FAKE/deaf" ] || exit 1
    : > "$FAKE/dev-$5"; ln -s "$FAKE/dev-$5" "$FAKE/by-id/virtio-$(printf %.20s "$5")"; : > "$FAKE/by-id/virtio-$(printf %.20s "$5")-part1" ;;
  'server remove') rm "$FAKE/by-id/virtio-$(printf %.20s "$5")" "$FAKE/by-id/virtio-$(printf %.20s "$5")-part1" ;;
  'volume show') case "$*" in *bootable*) cat "$FAKE/$3" ;; *'-c size') echo 40 ;; *status) [ -e "$FAKE/gone-$3" ] || { [ -e "$FAKE/by-id/virtio-$(printf %.20s "$3")" ] && echo in-use || echo available; } ;; *) [ -e "$FAKE/gone-$3" ] || echo available ;; esac ;;
  'volume delete') : > "$FAKE/gone-$3" ;;
  'server show') echo ACTIVE ;;
  'console log') echo 'web01 login: ' ;;
  'token issue') echo "$FAKE_PROJECT" ;;
  'flavor show') [ -e "$FAKE/flavor" ] || exit 1; case "$*" in *vcpus*) echo 3 ;; *ram*) echo 1234 ;; esac ;;
  'flavor create') : > "$FAKE/flavor" ;;
esac
`;

const BLOCKDEV = `${RECORD}
[ "$1" != --getsize64 ] || [ ! -e "$2" ] || echo "$FAKE_SIZE"
`;

const PING = `${RECORD}
echo '1 packets transmitted, 1 received, 0% packet loss, time 0ms'
`;

/** Makes them below `dir` (an empty folder). */
export async function fakePrograms(
  dir: string,
  facts: { project: string; uuid: string; power: 'on' | 'off'; size: number; links: number },
): Promise<FakePrograms> {
  const [bin, fake, cwd, volumes] = ['bin', 'fake', 'work', 'volumes'].map((name) => join(dir, name)) as [
    string,
    string,
    string,
    string,
  ];
  await Promise.all([bin, fake, cwd, volumes].map((path) => mkdir(path)));
  const programs = {
    ssh: SSH,
    'qemu-img': QEMU_IMG,
    openstack: OPENSTACK,
    ping: PING,
    blockdev: BLOCKDEV,
    blkdiscard: RECORD,
    id: '#!/bin/sh\necho 0\n',
    timeout: `${RECORD}\necho open\n`,
  };
  for (const [name, text] of Object.entries(programs)) {
    await writeFile(join(bin, name), text);
    await chmod(join(bin, name), 0o755);
  }
  await writeFile(join(bin, 'ssh-keyscan'), '#!/bin/sh\n');
  await writeFile(join(bin, 'ssh-keygen'), '#!/bin/sh\necho "256 SHA256:abc esx1 (ECDSA)"\n');
  await Promise.all(['ssh-keyscan', 'ssh-keygen'].map((name) => chmod(join(bin, name), 0o755)));
  await mkdir(join(fake, 'by-id'));
  await writeFile(join(fake, 'product_uuid'), '5AD690EB-D744-40C8-82AB-D0BAF6086E22\n');
  await writeFile(join(fake, 'count'), '1\n');
  await writeFile(join(fake, 'power'), `Powered ${facts.power}\n`);
  await writeFile(join(fake, 'calls'), '');
  const env = {
    PATH: `${bin}:${process.env['PATH'] ?? ''}`,
    HOME: dir,
    LANG: 'C.UTF-8',
    FAKE: fake,
    FAKE_VOLUMES: volumes,
    FAKE_PROJECT: facts.project,
    FAKE_UUID: facts.uuid,
    FAKE_SIZE: String(facts.size),
    FAKE_LINKS: String(facts.links),
  };
  return {
    env,
    cwd,
    volumes,
    calls: async () => {
      const words = (await readFile(join(fake, 'calls'), 'utf8')).split('\0');
      const calls: string[][] = [];
      const call: string[] = [];
      for (const word of words) {
        if (word !== END) call.push(word);
        else calls.push(call.splice(0));
      }
      return calls;
    },
    run: async (shell, text, args = [], typed = '') => {
      const file = join(dir, `guide-${shell}`);
      const here = text.replaceAll('/dev/disk/by-id', join(fake, 'by-id'));
      await writeFile(file, here.replaceAll('/sys/class/dmi/id', fake));
      return new Promise((resolve) => {
        const child = execFile(shell, [file, ...args], { cwd, env, timeout: 60_000 }, (error, stdout, stderr) => {
          resolve({ code: error ? (typeof error.code === 'number' ? error.code : -1) : 0, stdout, stderr });
        });
        child.stdin?.on('error', () => undefined);
        child.stdin?.end(typed);
      });
    },
  };
}
