// Makes the built program executable: `bin` of package.json names it, and a checkout runs it as it is.
import { chmodSync } from 'node:fs';

chmodSync(new URL('../dist/cli.js', import.meta.url), 0o755);
