// Makes the throw-away keys of this folder anew: npm run build && node keys-dev/make.mjs
// The ids of the secrets stay; everything that is secret changes, and with it key tags and DS records.
import { randomBytes } from 'node:crypto';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Name } from '../dist/dns/name.js';
import { bindFileName, encodeBindPrivate, encodeBindPublic } from '../dist/keys/formats/encode.js';
import { generateKey } from '../dist/keys/generate.js';

const folder = dirname(fileURLToPath(import.meta.url));
const zone = Name.parse('quickstart.example.');
const dnssec = [
  { role: 'KSK', id: '7a6f6e65-7365-4c00-8000-000000000001' },
  { role: 'ZSK', id: '7a6f6e65-7365-4c00-8000-000000000002' },
];
const tsig = [
  { name: 'quickstart-internal', id: '7a6f6e65-7365-4c00-8000-000000000011' },
  { name: 'quickstart-external', id: '7a6f6e65-7365-4c00-8000-000000000012' },
];

for (const file of readdirSync(folder)) {
  if (/\.(private|key|kdig)$/.test(file)) rmSync(join(folder, file));
}
const write = (file, text, mode) => writeFileSync(join(folder, file), text, { mode });

const secrets = [];
const keys = [];
for (const { role, id } of dnssec) {
  const key = await generateKey({ algorithm: 13, role, existing: keys.map((it) => it.generated) });
  const base = bindFileName(zone, key.algorithm, key.keyTag);
  write(`${base}.private`, encodeBindPrivate(key.privateKey, key.algorithm), 0o600);
  const comment = `; throw-away development key: ${role} ${key.keyTag} of ${zone}\n`;
  write(`${base}.key`, comment + encodeBindPublic(zone, key.flags, key.algorithm, key.publicKey), 0o644);
  secrets.push({
    id,
    name: `${zone} ${role} ${key.keyTag}`,
    file: `${base}.private`,
    secretType: 'private',
    contentType: 'text/plain',
    algorithm: 'ec',
    bitLength: 256,
    metadata: { zone: zone.toString(), role: role.toLowerCase(), key_tag: String(key.keyTag) },
  });
  const publicKey = Buffer.from(key.publicKey).toString('base64');
  const { algorithm, keyTag, flags } = key;
  keys.push({ generated: key, zone: zone.toString(), role, algorithm, keyTag, flags, publicKey, secret: id });
}

const tsigKeys = [];
for (const { name, id } of tsig) {
  const secret = randomBytes(32).toString('base64');
  const [file, kdigFile] = [`${name}.key`, `${name}.kdig`];
  write(file, `key "${name}." {\n\talgorithm hmac-sha256;\n\tsecret "${secret}";\n};\n`, 0o600);
  write(kdigFile, `hmac-sha256:${name}.:${secret}\n`, 0o600);
  secrets.push({
    id,
    name: `TSIG ${name}.`,
    file,
    secretType: 'symmetric',
    contentType: 'text/plain',
    algorithm: 'hmac-sha256',
    bitLength: 256,
    metadata: { tsig: `${name}.` },
  });
  tsigKeys.push({ name: `${name}.`, algorithm: 'hmac-sha256', secret: id, file, kdigFile });
}

const manifest = {
  secrets,
  keys: keys.map(({ zone, role, algorithm, keyTag, flags, publicKey, secret }) => ({
    zone,
    role,
    algorithm,
    keyTag,
    flags,
    publicKey,
    secret,
  })),
  tsigKeys,
};
write('manifest.json', `${JSON.stringify(manifest, undefined, 2)}\n`, 0o644);
