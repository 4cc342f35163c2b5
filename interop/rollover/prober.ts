import { setTimeout as sleep } from 'node:timers/promises';
import type { Unbound } from '../lib/unbound.js';

/** What a resolver said that it should not have. */
export interface ProbeFault {
  readonly at: string;
  readonly resolver: string;
  readonly question: string;
  readonly text: string;
}

const EVERY_MS = 50;

/** Asks validating resolvers without a pause, and notes each answer that is bogus, or insecure where it must be secure. */
export class Prober {
  readonly faults: ProbeFault[] = [];
  readonly counts = { secure: 0, insecure: 0, bogus: 0 };
  /** Whether answers may be insecure now. */
  mayBeInsecure = false;
  #firstBogus = 0;
  #lastBogus = 0;
  #closed = false;
  #loops: Promise<void>[] = [];

  /** @param names of data, and one below which nothing is */
  start(resolvers: ReadonlyMap<string, Unbound>, zone: string): void {
    const questions = [
      { name: `www.${zone}`, type: 'A' },
      { name: `nothing.${zone}`, type: 'A' },
      { name: `www.${zone}`, type: 'TXT' },
      { name: zone, type: 'DNSKEY' },
      { name: zone, type: 'SOA' },
    ];
    this.#loops = [...resolvers].map(async ([label, resolver]) => {
      for (let i = 0; !this.#closed; i++) {
        const question = questions[i % questions.length] as (typeof questions)[number];
        const began = this.mayBeInsecure;
        const { security, text } = await resolver.ask(question);
        this.counts[security]++;
        if (security === 'bogus') this.#noteBogus(performance.now());
        const isAllowed = security === 'secure' || (security === 'insecure' && (began || this.mayBeInsecure));
        if (!isAllowed && this.faults.length < 20) {
          const at = new Date().toISOString();
          this.faults.push({
            at,
            resolver: label,
            question: `${question.name} ${question.type}`,
            text: `${security}: ${text}`,
          });
        }
        await sleep(EVERY_MS);
      }
    });
  }

  /** Milliseconds between the first and the last answer that was bogus; 0: there was none, or one. */
  get outage(): number {
    return this.#lastBogus - this.#firstBogus;
  }

  /** Milliseconds since the last answer that was bogus. */
  get sinceBogus(): number {
    return performance.now() - this.#lastBogus;
  }

  #noteBogus(now: number): void {
    if (this.counts.bogus === 1) this.#firstBogus = now;
    this.#lastBogus = now;
  }

  async stop(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#loops);
  }
}
