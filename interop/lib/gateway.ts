import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Target } from './dns-client.js';
import { freePort } from './ports.js';
import { type Outcome, RunningProgram, removeFolder, runProgram, temporaryFolder } from './processes.js';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

/** What its first line has Node.js told when it is started by its name. */
function ownArguments(): string[] {
  const [first = ''] = readFileSync(MAIN, 'utf8').split('\n', 1);
  return first.split(' ').filter((word) => word.startsWith('--'));
}

/** Variables of the caller's that would override a configuration. */
const CLEAN = Object.fromEntries(
  Object.keys(process.env)
    .filter((name) => name.startsWith('ZONESEAL_'))
    .map((name) => [name, undefined]),
);

export interface GatewayOptions {
  /** Sections of the configuration, put over those of the suites; without `database` the embedded one, without `barbican` the development one. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Such as passwords. */
  readonly environment?: Readonly<Record<string, string>>;
  /** What commands have beside that, such as `ZONESEAL_DATABASE_URL` for a role with other rights than the gateway's. */
  readonly commandEnvironment?: Readonly<Record<string, string>>;
  /** Whether an empty embedded database gets the quickstart zone; default not. */
  readonly quickstart?: boolean;
  /** For node itself when it serves, such as `--cpu-prof`. */
  readonly nodeArguments?: readonly string[];
  /** For how long a command may run; default two minutes. */
  readonly commandTimeoutMilliseconds?: number;
}

/** One line of the gateway's log. */
export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** A gateway as a process of its own, from the compiled command, and the command line beside it. */
export class GatewayProcess {
  readonly target: Target;
  readonly folder: string;
  readonly #configFile: string;
  readonly #options: GatewayOptions;
  #program: RunningProgram | undefined;

  private constructor(folder: string, target: Target, configFile: string, options: GatewayOptions) {
    this.folder = folder;
    this.target = target;
    this.#configFile = configFile;
    this.#options = options;
  }

  /** Writes a configuration for a gateway on a free port of 127.0.0.1; nothing runs yet. */
  static async prepare(options: GatewayOptions = {}): Promise<GatewayProcess> {
    if (!existsSync(MAIN)) throw new Error(`${MAIN} is not there; run: npm run build`);
    const folder = temporaryFolder('gateway');
    const target = { host: '127.0.0.1', port: await freePort() };
    const file = join(folder, 'zoneseal.yaml');
    const config = {
      data: join(folder, 'data'),
      listen: [{ address: target.host, port: target.port }],
      publication: { poll: 1 },
      ...options.config,
    };
    // JSON is YAML
    writeFileSync(file, JSON.stringify(config, undefined, 2));
    return new GatewayProcess(folder, target, file, options);
  }

  /** Prepares and starts one. */
  static async start(options: GatewayOptions = {}): Promise<GatewayProcess> {
    const gateway = await GatewayProcess.prepare(options);
    await gateway.serve();
    return gateway;
  }

  /** Starts `zoneseal serve` and waits until it is ready; after `stop` or `kill` it starts again on the same data. */
  async serve(timeoutMilliseconds = 60_000): Promise<void> {
    const program = RunningProgram.start({
      name: 'gateway',
      path: process.execPath,
      args: [
        ...ownArguments(),
        ...(this.#options.nodeArguments ?? []),
        MAIN,
        'serve',
        '-c',
        this.#configFile,
        ...(this.#options.quickstart === true ? [] : ['--no-quickstart']),
      ],
      cwd: this.folder,
      environment: { ...CLEAN, ...this.#options.environment },
    });
    this.#program = program;
    await program.waitUntil(
      'being ready',
      () => this.logLines.some(({ msg }) => msg === 'ready'),
      timeoutMilliseconds,
    );
  }

  get pid(): number | undefined {
    return this.#program?.pid;
  }

  /** Whether it was started and has not ended since, by itself or otherwise. */
  get isRunning(): boolean {
    return this.#program !== undefined && !this.#program.hasEnded;
  }

  /** Sends a signal to a running gateway. */
  signal(signal: NodeJS.Signals): void {
    if (this.isRunning) this.#program?.kill(signal);
  }

  /** What the running or last gateway wrote. */
  get log(): string {
    return this.#program?.log ?? '';
  }

  get logLines(): LogLine[] {
    return this.log.split('\n').flatMap((line) => {
      try {
        const value = JSON.parse(line) as LogLine | string | number | null;
        return typeof value === 'object' && value !== null ? [value] : [];
      } catch {
        return [];
      }
    });
  }

  /** Runs a command with the gateway's configuration. */
  run(args: readonly string[], input?: string): Promise<Outcome> {
    return runProgram(process.execPath, [MAIN, '-c', this.#configFile, ...args], {
      cwd: this.folder,
      environment: { ...CLEAN, ...this.#options.environment, ...this.#options.commandEnvironment },
      ...(input === undefined ? {} : { input }),
      timeoutMilliseconds: this.#options.commandTimeoutMilliseconds ?? 120_000,
    });
  }

  /** Runs a command that has to succeed; its standard output. @throws Error with what it said */
  async command(args: readonly string[], input?: string): Promise<string> {
    const { status, stdout, stderr } = await this.run(args, input);
    if (status === 0) return stdout;
    throw new Error(`zoneseal ${args.join(' ')}: exit ${status}\n${stderr}${stdout}`);
  }

  /** What a command prints with `--json`. */
  async json(args: readonly string[]): Promise<unknown> {
    return JSON.parse(await this.command([...args, '--json'])) as unknown;
  }

  /** Stops it as an operator does. */
  async stop(): Promise<void> {
    await this.#program?.stop();
  }

  /** Ends it as a crash does. */
  async kill(): Promise<void> {
    this.#program?.kill('SIGKILL');
    await this.#program?.stop();
  }

  /** Stops it and removes its folder. */
  async remove(): Promise<void> {
    await this.stop();
    removeFolder(this.folder);
  }
}
