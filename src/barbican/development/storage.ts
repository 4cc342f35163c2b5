import { randomUUID } from 'node:crypto';
import { chmod, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { errorMessage, ZonesealError } from '../../errors.js';
import { type Account, projectIdOf } from './accounts.js';
import { readManifest } from './manifest.js';

/** A secret as the development Barbican keeps it: one JSON file. Times are in milliseconds since 1970. */
export interface StoredSecret {
  readonly id: string;
  readonly name: string | null;
  readonly secretType: string;
  readonly algorithm: string | null;
  readonly bitLength: number | null;
  readonly mode: string | null;
  readonly expiration: number | null;
  readonly created: number;
  readonly updated: number;
  readonly creatorId: string;
  readonly projectId: string;
  /** Null while there is no payload; base64. */
  readonly payload: { readonly contentType: string; readonly base64: string } | null;
  readonly metadata: Readonly<Record<string, string>>;
  readonly consumers: readonly {
    readonly service: string;
    readonly resource_type: string;
    readonly resource_id: string;
    readonly created: number;
  }[];
  /** Null stands for the default: the whole project reads. */
  readonly acl: {
    readonly projectAccess: boolean;
    readonly users: readonly string[];
    readonly created: number;
    readonly updated: number;
  } | null;
  /** Whether it came with keys-dev/ and cannot be changed. */
  readonly seed: boolean;
}

const secretFileSchema = z.object({
  id: z.uuid(),
  name: z.string().nullable(),
  secretType: z.string(),
  algorithm: z.string().nullable(),
  bitLength: z.number().nullable(),
  mode: z.string().nullable(),
  expiration: z.number().nullable(),
  created: z.number(),
  updated: z.number(),
  creatorId: z.string(),
  projectId: z.string(),
  payload: z.object({ contentType: z.string(), base64: z.string() }).nullable(),
  metadata: z.record(z.string(), z.string()),
  consumers: z.array(
    z.object({
      service: z.string(),
      resource_type: z.string(),
      resource_id: z.string(),
      created: z.number(),
    }),
  ),
  acl: z
    .object({
      projectAccess: z.boolean(),
      users: z.array(z.string()),
      created: z.number(),
      updated: z.number(),
    })
    .nullable(),
  seed: z.literal(false),
});

/** Milliseconds. */
const ABANDONED_AFTER = 600_000;
/** Seeds appear to have been stored then. */
const SEED_TIME = Date.UTC(2026, 0, 1);

/** Secrets in a folder, one file each, read anew at every look so that several processes may share it; seeds beside it. */
export class SecretStorage {
  readonly #folder: string;
  readonly #seeds: ReadonlyMap<string, StoredSecret>;

  private constructor(folder: string, seeds: ReadonlyMap<string, StoredSecret>) {
    this.#folder = folder;
    this.#seeds = seeds;
  }

  /**
   * Opens the folder, making it where it is missing, and reads the seeds.
   * @throws ZonesealError KEYSTORE_CONFIG_INVALID
   */
  static async open(
    dataFolder: string,
    seedFolder: string | undefined,
    owner: Account,
    now: number,
  ): Promise<SecretStorage> {
    try {
      await mkdir(dataFolder, { recursive: true, mode: 0o700 });
      await chmod(dataFolder, 0o700);
      await removeAbandoned(dataFolder, now);
      const seeds = seedFolder === undefined ? [] : await readSeeds(seedFolder, owner);
      return new SecretStorage(dataFolder, new Map(seeds.map((seed) => [seed.id, seed])));
    } catch (error) {
      throw new ZonesealError(
        'KEYSTORE_CONFIG_INVALID',
        `the development Barbican cannot start: ${errorMessage(error)}`,
      );
    }
  }

  /** A secret by its id; undefined when there is none or it has expired. */
  async get(id: string, now: number): Promise<StoredSecret | undefined> {
    const seed = this.#seeds.get(id);
    if (seed !== undefined) return seed;
    const secret = await this.#read(`${id}.json`);
    return secret === undefined || isExpired(secret, now) ? undefined : secret;
  }

  /** All secrets that have not expired, oldest first. */
  async list(now: number): Promise<StoredSecret[]> {
    const files = await this.#files();
    const stored: StoredSecret[] = [];
    for (const file of files) {
      const secret = await this.#read(file);
      if (secret !== undefined && !isExpired(secret, now)) stored.push(secret);
    }
    stored.sort((a, b) => a.created - b.created || (a.id < b.id ? -1 : 1));
    return [...this.#seeds.values(), ...stored];
  }

  /** How many secrets there are, seeds and expired ones included. */
  async count(): Promise<number> {
    return this.#seeds.size + (await this.#files()).length;
  }

  async #files(): Promise<string[]> {
    return (await readdir(this.#folder)).filter((name) => /^[0-9a-f-]{36}\.json$/.test(name));
  }

  /** Keeps a secret: written beside, flushed, renamed into place, so that a crash leaves the old one or the new one. */
  async put(secret: StoredSecret): Promise<void> {
    const temporary = join(this.#folder, `.${randomUUID()}.tmp`);
    try {
      const file = await open(temporary, 'wx', 0o600);
      try {
        await file.writeFile(JSON.stringify(secret));
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, join(this.#folder, `${secret.id}.json`));
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
    await this.#flushFolder();
  }

  /** Removes a secret. */
  async remove(id: string): Promise<void> {
    await rm(join(this.#folder, `${id}.json`), { force: true });
    await this.#flushFolder();
  }

  async #flushFolder(): Promise<void> {
    const folder = await open(this.#folder, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }

  async #read(file: string): Promise<StoredSecret | undefined> {
    let text: string;
    try {
      text = await readFile(join(this.#folder, file), 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
    return secretFileSchema.parse(JSON.parse(text));
  }
}

function isExpired(secret: StoredSecret, now: number): boolean {
  return secret.expiration !== null && secret.expiration <= now;
}

/** What a process that died was about to write; younger ones may be another's, at work on the same folder. */
async function removeAbandoned(folder: string, now: number): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!/^\.[0-9a-f-]{36}\.tmp$/.test(name)) continue;
    const { mtimeMs } = await stat(join(folder, name));
    if (now - mtimeMs > ABANDONED_AFTER) await rm(join(folder, name), { force: true });
  }
}

async function readSeeds(folder: string, owner: Account): Promise<StoredSecret[]> {
  const manifest = await readManifest(folder);
  return Promise.all(
    manifest.secrets.map(async (secret) => ({
      id: secret.id,
      name: secret.name,
      secretType: secret.secretType,
      algorithm: secret.algorithm ?? null,
      bitLength: secret.bitLength ?? null,
      mode: null,
      expiration: null,
      created: SEED_TIME,
      updated: SEED_TIME,
      creatorId: 'development-seed',
      projectId: projectIdOf(owner.project),
      payload: {
        contentType: secret.contentType,
        base64: (await readSeed(folder, secret)).toString('base64'),
      },
      metadata: secret.metadata,
      consumers: [],
      acl: null,
      seed: true,
    })),
  );
}

async function readSeed(
  folder: string,
  seed: { readonly file: string; readonly contentType: string },
): Promise<Buffer> {
  const octets = await readFile(join(folder, seed.file));
  // as if it had been stored through the API, which strips text
  return seed.contentType === 'text/plain' ? Buffer.from(octets.toString('utf8').trim()) : octets;
}
