import { createSocket } from 'node:dgram';
import { decode, encode } from 'dns-packet';
import type { ListenAddress } from './dns-server.js';

/** The largest answer that is looked at: it is REFUSED, and short. */
const MAX_ANSWER_OCTETS = 512;

/**
 * Asks a server of this process for the SOA of the root over UDP, as a stranger would, and waits for any answer to it.
 * @returns whether one came in time
 */
export function probeServer({ address, port }: ListenAddress, timeoutMs: number): Promise<boolean> {
  const host = address === '0.0.0.0' ? '127.0.0.1' : address === '::' ? '::1' : address;
  const id = Math.floor(Math.random() * 0x1_0000);
  const query = encode({ type: 'query', id, flags: 0, questions: [{ type: 'SOA', name: '.' }] });
  return new Promise((resolve) => {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    const end = (answered: boolean): void => {
      clearTimeout(timer);
      socket.close();
      resolve(answered);
    };
    const timer = setTimeout(() => end(false), timeoutMs);
    socket.once('error', () => end(false));
    socket.on('message', (message) => {
      if (message.length <= MAX_ANSWER_OCTETS && isAnswer(message, id)) end(true);
    });
    socket.connect(port, host, () => socket.send(query));
  });
}

function isAnswer(message: Buffer, id: number): boolean {
  try {
    const answer = decode(message);
    return answer.type === 'response' && answer.id === id;
  } catch {
    return false;
  }
}
