import { randomBytes } from 'node:crypto';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { isAlive, startOf } from './process-start.js';

const runningGatewaySchema = z.object({
  pid: z.int().min(1),
  /** How the development Barbican inside the gateway is reached; left out where the gateway uses a real one. */
  barbican: z
    .object({
      keystoneUrl: z.string(),
      barbicanUrl: z.string(),
      username: z.string(),
      userDomain: z.string(),
      password: z.string(),
      project: z.string(),
      projectDomain: z.string(),
    })
    .optional(),
});

/** As the file has it: with when the process started, which tells it from a later one with the same number. */
const fileSchema = runningGatewaySchema.extend({ started: z.string() });

/** What a running gateway tells the command line, in a file of its data folder that its user alone can read. */
export type RunningGateway = z.infer<typeof runningGatewaySchema>;

function fileIn(data: string): string {
  return join(data, 'gateway.json');
}

/** Writes the file, in place of one that a gateway before left behind. */
export function writeRunningGateway(data: string, gateway: RunningGateway): void {
  const temporary = `${fileIn(data)}.${randomBytes(6).toString('hex')}`;
  writeFileSync(temporary, `${JSON.stringify({ ...gateway, started: startOf(gateway.pid) })}\n`, {
    mode: 0o600,
    flag: 'wx',
  });
  renameSync(temporary, fileIn(data));
}

/** Removes the file when the gateway ends. */
export function removeRunningGateway(data: string): void {
  rmSync(fileIn(data), { force: true });
}

/** The gateway that runs on a data folder; undefined when none does, or what is left is of one that was killed. */
export function findRunningGateway(data: string): RunningGateway | undefined {
  let text: string;
  try {
    text = readFileSync(fileIn(data), 'utf8');
  } catch {
    return undefined;
  }
  const parsed = fileSchema.safeParse(parseJson(text));
  if (!parsed.success || !isAlive(parsed.data)) return undefined;
  const { started: _, ...gateway } = parsed.data;
  return gateway;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
