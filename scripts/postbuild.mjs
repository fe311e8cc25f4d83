// After tsc: takes away what was built from files that are gone, builds what is missing although tsc's notes say that it
// is there, and makes the program executable: `bin` of package.json names it, and a checkout runs it as it is.
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const list = (folder) => readdirSync(`${root}/${folder}`, { recursive: true });

for (const file of list('dist').filter((name) => /\.js(\.map)?$/.test(name))) {
  if (!existsSync(`${root}/src/${file.replace(/\.js(\.map)?$/, '.ts')}`)) rmSync(`${root}/dist/${file}`);
}
const sources = list('src').filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'));
if (sources.some((file) => !existsSync(`${root}/dist/${file.replace(/ts$/, 'js')}`))) {
  rmSync(`${root}/dist/.tsbuildinfo`, { force: true });
  const tsc = fileURLToPath(import.meta.resolve('typescript/bin/tsc'));
  execFileSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' });
}
chmodSync(`${root}/dist/cli.js`, 0o755);
