import { randomBytes } from 'node:crypto';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

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

/** What a running gateway tells the command line, in a file of its data folder that its user alone can read. */
export type RunningGateway = z.infer<typeof runningGatewaySchema>;

function fileIn(data: string): string {
  return join(data, 'gateway.json');
}

/** Writes the file, in place of one that a gateway before left behind. */
export function writeRunningGateway(data: string, gateway: RunningGateway): void {
  const temporary = `${fileIn(data)}.${randomBytes(6).toString('hex')}`;
  writeFileSync(temporary, `${JSON.stringify(gateway)}\n`, { mode: 0o600, flag: 'wx' });
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
  const parsed = runningGatewaySchema.safeParse(parseJson(text));
  return parsed.success && isRunning(parsed.data.pid) ? parsed.data : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
