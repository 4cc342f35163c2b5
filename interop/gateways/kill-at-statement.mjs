// Preloaded (NODE_OPTIONS=--import=…) into a gateway that is to be ended, as by a crash, at one of its statements that write:
// the file KILL_ORDER_FILE says "ROUND COUNT WHEN", WHEN being before it is sent or once it is.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const { Client } = createRequire(import.meta.url)('pg');
const WRITES = /\b(insert|update|delete|commit|copy)\b/i;
const query = Client.prototype.query;
let round;
let count = 0;

function order() {
  try {
    const [name, wanted, when] = readFileSync(process.env.KILL_ORDER_FILE, 'utf8').split(' ');
    return { name, wanted: Number(wanted), when };
  } catch {
    return undefined;
  }
}

Client.prototype.query = function (...given) {
  const text =
    typeof given[0] === 'string' ? given[0] : String(given[0]?.text ?? given[0]?.cursor?.text ?? '');
  const asked = WRITES.test(text) ? order() : undefined;
  if (asked === undefined) return query.apply(this, given);
  if (round !== asked.name) count = 0;
  round = asked.name;
  if (++count !== asked.wanted) return query.apply(this, given);
  process.stderr.write(`killed ${asked.when} ${text.replaceAll(/\s+/g, ' ').slice(0, 100)}\n`);
  if (asked.when === 'before') process.kill(process.pid, 'SIGKILL');
  const outcome = query.apply(this, given);
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), 1);
  return outcome;
};
