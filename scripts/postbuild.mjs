// After tsc: takes away what was built from files that are gone, builds what is missing although tsc's notes say that it
// is there, copies what needs no compiler (the report's page, the helper of os-brick), and makes the program executable:
// `bin` of package.json names it, and a checkout runs it as it is.
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const list = (folder) => readdirSync(`${root}/${folder}`, { recursive: true });

const copied = list('src').filter((name) => /\.(js|css|py)$/.test(name));
for (const file of list('dist').filter((name) => /\.(js|css|js\.map)$/.test(name))) {
  const source = file.replace(/\.js(\.map)?$/, '.ts');
  if (!copied.includes(file) && !existsSync(`${root}/src/${source}`)) rmSync(`${root}/dist/${file}`);
}
for (const file of copied) {
  mkdirSync(dirname(`${root}/dist/${file}`), { recursive: true });
  copyFileSync(`${root}/src/${file}`, `${root}/dist/${file}`);
}
const sources = list('src').filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'));
if (sources.some((file) => !existsSync(`${root}/dist/${file.replace(/ts$/, 'js')}`))) {
  rmSync(`${root}/dist/.tsbuildinfo`, { force: true });
  const tsc = fileURLToPath(import.meta.resolve('typescript/bin/tsc'));
  execFileSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' });
}
chmodSync(`${root}/dist/cli.js`, 0o755);
