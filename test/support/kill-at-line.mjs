/**
 * Loaded into the program by `node --import`: kills it (SIGKILL) at an exact line of its journal, so that a test can
 * stand on every crash point instead of hoping to hit one. `KILL_LINE` counts the lines of this process from 1,
 * `KILL_MATCH` is a regular expression. `KILL_WHEN=after`: the line is on the disk and nothing that follows it has
 * happened. `before`: all that came before the line has happened, and the line was never written.
 */
import { open } from 'node:fs/promises';

const { KILL_WHEN, KILL_LINE, KILL_MATCH } = process.env;
const handle = await open(process.execPath, 'r');
const prototype = Object.getPrototypeOf(handle);
await handle.close();

const { appendFile, datasync } = prototype;
let lines = 0;
let due = false;

const die = () => process.kill(process.pid, 'SIGKILL');
const fits = (text) => (KILL_LINE === undefined ? new RegExp(KILL_MATCH).test(text) : lines === Number(KILL_LINE));

prototype.appendFile = async function (data, ...more) {
  const isLine = typeof data === 'string' && data.startsWith('{"kind":');
  if (isLine) {
    lines += 1;
    if (fits(data)) {
      if (KILL_WHEN === 'before') die();
      due = true;
    }
  }
  return appendFile.call(this, data, ...more);
};

prototype.datasync = async function () {
  await datasync.call(this);
  if (due) die();
};
