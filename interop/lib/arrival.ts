/** When a nameserver begins to answer with something, to a millisecond or so. */
import { createSocket, type Socket } from 'node:dgram';
import dnsPacket from 'dns-packet';
import type { Target } from './dns-client.js';

/** Asks one nameserver over one UDP socket, about every millisecond, until an address is in the answer. */
export class ArrivalPoller {
  readonly #socket: Socket;
  readonly #target: Target;
  #id = 0;

  private constructor(socket: Socket, target: Target) {
    this.#socket = socket;
    this.#target = target;
  }

  static open(target: Target): Promise<ArrivalPoller> {
    const socket = createSocket('udp4');
    return new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.connect(target.port, target.host, () => {
        socket.off('error', reject);
        // a nameserver that is starting is asked again
        socket.on('error', () => undefined);
        resolve(new ArrivalPoller(socket, target));
      });
    });
  }

  /**
   * Waits until the answer for a name holds an IPv4 address.
   * @returns the monotonic clock in milliseconds when it came; undefined when it does not come in time
   */
  arrival(name: string, address: string, timeoutMilliseconds: number): Promise<number | undefined> {
    const wanted = Buffer.from(address.split('.').map(Number));
    const socket = this.#socket;
    return new Promise((resolve) => {
      const stop = (at: number | undefined): void => {
        clearInterval(asking);
        clearTimeout(deadline);
        socket.off('message', hear);
        resolve(at);
      };
      const hear = (message: Buffer): void => {
        if (message.includes(wanted)) stop(performance.now());
      };
      const asking = setInterval(() => this.#ask(name), 1);
      const deadline = setTimeout(() => stop(undefined), timeoutMilliseconds);
      socket.on('message', hear);
    });
  }

  #ask(name: string): void {
    this.#id = (this.#id + 1) & 0xffff;
    const question = dnsPacket.encode({
      type: 'query',
      id: this.#id,
      questions: [{ type: 'A', name: name.replace(/\.$/, ''), class: 'IN' }],
    });
    this.#socket.send(question, () => undefined);
  }

  get target(): Target {
    return this.#target;
  }

  close(): void {
    this.#socket.close();
  }
}

/** The value below which a share of the values lies, by the nearest rank. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}
