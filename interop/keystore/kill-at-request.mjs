// Preloaded (NODE_OPTIONS=--import=…) into a command that is to be ended, as by a crash, at one of its requests for secrets: the file
// KILL_ORDER_FILE says "COUNT WHEN", WHEN being before the request is sent or once it is answered.
import { readFileSync } from 'node:fs';
import http from 'node:http';

const request = http.request;
let count = 0;

function order() {
  try {
    const [wanted, when] = readFileSync(process.env.KILL_ORDER_FILE, 'utf8').split(' ');
    return { wanted: Number(wanted), when };
  } catch {
    return undefined;
  }
}

http.request = (options, ...rest) => {
  const path = String(options?.path ?? '');
  const asked = /^\/v1\/secrets(\/|$)/.test(path) ? order() : undefined;
  if (asked === undefined || ++count !== asked.wanted) return request(options, ...rest);
  if (asked.when === 'before') process.kill(process.pid, 'SIGKILL');
  const sent = request(options, ...rest);
  sent.prependListener('response', () => process.kill(process.pid, 'SIGKILL'));
  return sent;
};
