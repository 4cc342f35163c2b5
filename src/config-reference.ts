import { z } from 'zod';
import { durationText, sizeText } from './config-fields.js';
import { configSchema } from './config-schema.js';
import { fieldsOf, SECRET_VARIABLES, type Setting, secretVariableOf, settingsOf } from './config-settings.js';

const PREFACE = `# Configuration

This page is made from the schema of the configuration by \`npm run docs\`; do not edit it by hand.

A gateway has one configuration, a YAML file that \`--config FILE\` or the variable \`ZONESEAL_CONFIG\` names; commands that need the
database or Barbican read the same one. Without a file everything has its default: the embedded database, the development
Barbican with throw-away keys, port 5300 of the loopback addresses.

The file is checked as a whole before anything is started. Every error is told of with its line, and then the command ends with
exit code 2:

\`\`\`
zoneseal: zoneseal.yaml:3: database.poolsize: is no setting; did you mean database.poolSize?
zoneseal: zoneseal.yaml:9: limits.transfers: is 0, must be 1 or more
\`\`\`

- **Durations** are seconds, or numbers with units: \`45\`, \`30s\`, \`1h30m\`, \`7d\`. **Sizes** are octets, or such as \`64K\`,
  \`128M\`, \`4G\` (powers of 1024).
- **Environment variables** override single settings; their names are in the tables below. Text is taken as it is, lists are
  YAML: \`ZONESEAL_LISTEN='[{ address: 192.0.2.1, port: 53 }]'\`. A variable that is empty counts as not set. One that begins
  with the name of a section and belongs to no setting is an error, but for those that Kubernetes sets by itself for services
  (\`ZONESEAL_ADMIN_PORT=tcp://…\` from a service \`zoneseal-admin\` would be one of the settings: use \`enableServiceLinks: false\`).
- **Secrets** stand neither in the file nor on a command line. Each has a setting that names a file with nothing in it but the
  secret (a line end is left out), and a variable that may hold it instead and goes before the file:
  ${Object.values(SECRET_VARIABLES)
    .map((name) => `\`${name}\``)
    .join(', ')}.
- **Relative paths**, those in variables too, start at the folder of the configuration file; without a file, at the current one.
- A change of the file takes effect when the gateway is started anew.
`;

/** A configuration as an operator might have it; the tests load it. */
export const EXAMPLE = `# /etc/zoneseal/zoneseal.yaml
data: /var/lib/zoneseal                  # spool of large images; belongs to the gateway's user alone

listen:                                  # each address by itself: see docs/operations.md
  - { address: 192.0.2.1, port: 53 }
  - { address: "2001:db8::1", port: 53 }

database:
  url: postgresql://zoneseal@db.example/zoneseal?sslmode=verify-full
  passwordFile: /etc/zoneseal/database-password
  caFile: /etc/zoneseal/database-ca.pem

barbican:
  keystoneUrl: https://keystone.example:5000/v3
  applicationCredentialIdFile: /etc/zoneseal/barbican-id
  applicationCredentialSecretFile: /etc/zoneseal/barbican-secret
  caFile: /etc/zoneseal/openstack-ca.pem

keyPassphraseFile: /etc/zoneseal/key-passphrase   # only where keys are encrypted within Barbican, too

# a nameserver on the gateway's own network that cannot do TSIG; everyone else needs a key
open:
  - { range: 192.0.2.53/32, view: external }

limits:
  transfers: 128
  spoolOctets: 20G

admin: { address: 127.0.0.1, port: 9153 }          # /health, /ready, /metrics

log: { level: info, format: json }
`;

/** The reference of the configuration as Markdown, from its schema alone. */
export function formatConfigReference(): string {
  const settings = settingsOf();
  const single = settings.filter(({ path }) => path.length === 1);
  const sections = Object.entries(configSchema.shape as Record<string, z.ZodType>)
    .filter(([name]) => settings.some(({ path }) => path.length > 1 && path[0] === name))
    .map(([name, schema]) => {
      const rows = settings.filter(({ path }) => path[0] === name);
      return `## ${name}\n\n${descriptionOf(schema)}\n\n${table(rows)}`;
    });
  return [
    PREFACE,
    `## An example\n\n\`\`\`yaml\n${EXAMPLE}\`\`\`\n`,
    `## At the top\n\n${table(single)}`,
    ...single.flatMap(listSection),
    ...sections,
  ].join('\n');
}

function listSection(setting: Setting): string[] {
  const fields = fieldsOf(setting);
  if (fields.length === 0) return [];
  const name = setting.path.join('.');
  const rows = fields.map((field) => {
    const value = field.optional ? defaultOf(field) : 'needed';
    return `| \`${field.path.at(-1)}\` | ${typeOf(field)} | ${value} | ${cell(field.description)} |`;
  });
  const head = '| part | value | default | meaning |\n| --- | --- | --- | --- |';
  return [`Each entry of \`${name}\`:\n\n${head}\n${rows.join('\n')}\n`];
}

function table(settings: readonly Setting[]): string {
  const rows = settings.map((setting) => {
    const { path, variable, description, optional } = setting;
    const secret = secretVariableOf(setting);
    const meaning = secret === undefined ? description : `${description}; or \`${secret}\` holds it`;
    const value = optional ? defaultOf(setting) : 'needed';
    return `| \`${path.join('.')}\`<br>\`${variable}\` | ${typeOf(setting)} | ${value} | ${cell(meaning)} |`;
  });
  const head = '| setting, and its variable | value | default | meaning |\n| --- | --- | --- | --- |';
  return `${head}\n${rows.join('\n')}\n`;
}

function typeOf({ schema, facts }: Setting): string {
  if (facts.type !== undefined) return facts.type;
  if (schema instanceof z.ZodEnum) return schema.options.map((option) => `\`${option}\``).join(', ');
  if (schema instanceof z.ZodNumber) return `whole number, ${schema.minValue} to ${schema.maxValue}`;
  return schema instanceof z.ZodArray ? 'list' : 'text';
}

function defaultOf({ defaultValue, facts }: Setting): string {
  if (facts.defaultText !== undefined) return facts.defaultText;
  if (defaultValue === undefined) return 'none';
  if (facts.unit === 'seconds') return `\`${durationText(defaultValue as number)}\``;
  const plain = defaultValue as string | number;
  return `\`${facts.unit === 'octets' ? sizeText(Number(plain)) : plain}\``;
}

/** The description of a section, which may stand below what makes it optional. */
function descriptionOf(schema: z.ZodType): string {
  const inner = (schema as unknown as { readonly def: { readonly innerType?: z.ZodType } }).def.innerType;
  return schema.description ?? (inner === undefined ? '' : descriptionOf(inner));
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
