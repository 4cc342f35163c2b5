import { Counter, Gauge, Registry } from 'prom-client';

/** One measured thing; read when a monitor asks. Names carry base units (`_seconds`, `_bytes`, `_total`). */
export interface Metric {
  readonly name: string;
  readonly help: string;
  readonly kind: 'gauge' | 'counter';
  /** The value now, or values by label. A counter's value is its total since the process began. */
  readonly read: () => number | readonly LabelledValue[];
  /** Label names, where `read` gives labelled values. */
  readonly labels?: readonly string[];
}

export interface LabelledValue {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The metrics of a gateway in Prometheus text form; nothing is kept between two readings. */
export class MetricsPage {
  readonly #registry = new Registry();

  constructor(metrics: readonly Metric[]) {
    for (const metric of metrics) this.#add(metric);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  #add({ name, help, kind, read, labels = [] }: Metric): void {
    const values = (): readonly LabelledValue[] => {
      const now = read();
      return typeof now === 'number' ? [{ labels: {}, value: now }] : now;
    };
    const options = { name: `zoneseal_${name}`, help, labelNames: [...labels], registers: [this.#registry] };
    if (kind === 'gauge') {
      const gauge: Gauge = new Gauge({
        ...options,
        collect: () => {
          gauge.reset();
          for (const { labels: at, value } of values()) gauge.set({ ...at }, value);
        },
      });
    } else {
      const counter: Counter = new Counter({
        ...options,
        collect: () => {
          counter.reset();
          for (const { labels: at, value } of values()) counter.inc({ ...at }, value);
        },
      });
    }
  }
}
