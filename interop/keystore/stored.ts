import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BarbicanClient } from '../../src/barbican/client.js';
import { tokenOf } from '../barbican/deployment.js';
import type { Lab } from '../barbican/lab.js';
import type { Secret } from '../barbican/leaks.js';
import type { Openstack } from '../lib/openstack.js';

/** A key as the database has it. */
export interface StoredKey {
  readonly reference: string;
  readonly tag: string;
  readonly role: string;
}

/** The keys of a zone. */
export function storedKeys(lab: Lab, zone: string): StoredKey[] {
  const lines = lab.psql(
    `select secret_ref, key_tag, role from zoneseal.zone_keys where zone_id = zoneseal.zone_id('${zone}') order by id`,
  );
  return lines
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [reference = '', tag = '', role = ''] = line.split('|');
      return { reference, tag, role };
    });
}

/** The secrets whose names begin so. */
export async function namedSecrets(
  client: BarbicanClient,
  start: string,
): Promise<{ reference: string; name: string }[]> {
  const found: { reference: string; name: string }[] = [];
  for await (const { reference, name } of client.listSecrets({ namePrefix: start }))
    found.push({ reference, name: name ?? '' });
  return found;
}

/** The answer to a request that the client does not make. @throws Error where Barbican refuses it */
export async function askBarbican(
  openstack: Openstack,
  request: {
    readonly username: string;
    readonly method: string;
    readonly path: string;
    readonly json?: object | undefined;
  },
): Promise<unknown> {
  const { username, method, path, json } = request;
  const { token } = await tokenOf(openstack, username);
  const answer = await fetch(`${openstack.barbicanUrl}${path}`, {
    method,
    headers: { 'x-auth-token': token, accept: 'application/json', 'content-type': 'application/json' },
    ...(json === undefined ? {} : { body: JSON.stringify(json) }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`Barbican, ${method} ${path}: ${answer.status} ${text}`);
  return text === '' ? undefined : JSON.parse(text);
}

/** The files in which a gateway has its application credential. */
export class CredentialFiles {
  readonly settings: Record<'applicationCredentialIdFile' | 'applicationCredentialSecretFile', string>;

  constructor(folder: string) {
    const [idFile, secretFile] = [join(folder, 'credential-id'), join(folder, 'credential-secret')];
    this.settings = { applicationCredentialIdFile: idFile, applicationCredentialSecretFile: secretFile };
  }

  /** Puts one into them; what must leak nowhere. */
  write({ id, secret }: { readonly id: string; readonly secret: string }): Secret {
    writeFileSync(this.settings.applicationCredentialIdFile, id);
    writeFileSync(this.settings.applicationCredentialSecretFile, secret);
    return { name: 'an application credential', octets: Buffer.from(secret) };
  }
}
