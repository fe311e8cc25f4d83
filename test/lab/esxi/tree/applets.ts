/**
 * The applets of ESXi's busybox, as `busybox --list` printed them on a real host (public blog "Downloading files with
 * wget on ESXi"). Not there, and missed by scripts: tr, cmp, base64, realpath, comm, tac, id. What a real host has
 * beside busybox (python, openssl, nc, ps, df, scp) is not in the tree.
 */
export const ESXI_APPLETS = (
  '[ [[ addgroup adduser ash awk basename cat chgrp chmod chown chvt cksum clear cp crond cut date dd delgroup deluser ' +
  'diff dirname dnsdomainname du echo egrep eject env expr false fdisk fgrep find getty grep groups gunzip gzip halt ' +
  'head hexdump hostname inetd init kill ln logger login ls lzop lzopcat md5sum mkdir mkfifo mknod mktemp more mv nohup ' +
  'nslookup od passwd poweroff printf readlink reboot reset resize rm rmdir sed seq setsid sh sha1sum sha256sum ' +
  'sha512sum sleep sort stat stty sum sync tail tar tee test time timeout touch true uname uniq unlzop unzip usleep vi ' +
  'watch wc wget which who xargs zcat'
).split(' ');

/** Those that a session must not get even so: they would act on this machine. */
const HARMFUL = new Set([
  'halt',
  'init',
  'inetd',
  'poweroff',
  'reboot',
  'getty',
  'login',
  'passwd',
  'crond',
  'hostname',
]);

/** Those that read files, and so meet the locks first. */
export const GUARDED = (
  'awk cat cksum cp dd diff egrep fgrep grep gzip head hexdump lzop md5sum od sed sha1sum sha256sum sha512sum sort sum ' +
  'tail tar wc zcat gunzip'
).split(' ');

// ash's own commands: there whatever the list says.
const BUILTINS = new Set('[ [[ ash cd echo false kill printf pwd sh test time true ulimit umask wait'.split(' '));

/** Applets that get a link in /bin, of those that the busybox at hand has. */
export function linkedApplets(available: string[]): string[] {
  return ESXI_APPLETS.filter((name) => available.includes(name) && !HARMFUL.has(name));
}

/**
 * Functions that a session's shell starts with: Debian's busybox runs any applet that it has without looking at PATH,
 * so those that ESXi lacks must be hidden and the guarded ones sent through /bin.
 */
export function appletFunctions(available: string[]): string {
  const linked = new Set(linkedApplets(available));
  const isName = (name: string) => /^[a-z_][a-z0-9_]*$/.test(name);
  const hidden = available.filter((name) => isName(name) && !linked.has(name) && !BUILTINS.has(name));
  return [
    ...GUARDED.filter((name) => linked.has(name)).map((name) => `${name}() { /bin/${name} "$@"; }`),
    ...hidden.map((name) => `${name}() { echo "sh: ${name}: not found" >&2; return 127; }`),
    '',
  ].join('\n');
}
