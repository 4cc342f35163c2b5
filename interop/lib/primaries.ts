/** Configurations of interop/config/, which have one primary, changed so that they have several. */
import type { Target } from './dns-client.js';
import type { SecondaryOptions, SecondaryProgram } from './secondary.js';

type Change = (text: string, options: SecondaryOptions) => string;

const all = ({ primary, morePrimaries = [] }: SecondaryOptions): readonly Target[] => [
  primary,
  ...morePrimaries,
];

/** Fails where the files of interop/config/ no longer look like that. */
function replaced(text: string, pattern: RegExp, by: string): string {
  if (!pattern.test(text)) throw new Error(`there is no ${pattern} in:\n${text}`);
  return text.replaceAll(pattern, () => by);
}

const CHANGES: Readonly<Record<SecondaryProgram, Change>> = {
  named: (text, options) => {
    const list = all(options).map(({ host, port }) => `${host} port ${port} key "${options.key.name}";`);
    return replaced(text, /primaries zoneseal \{[^}]*\};/g, `primaries zoneseal { ${list.join(' ')} };`);
  },
  nsd: (text, options) => {
    const lines = all(options).map(
      ({ host, port }) => `    request-xfr: ${host}@${port} ${options.key.name}\n`,
    );
    const notices = text.includes('allow-notify:') ? '' : `    allow-notify: 127.0.0.1 ${options.key.name}\n`;
    return replaced(text, /^ {4}request-xfr:.*\n/gm, lines.join('') + notices);
  },
  knotd: (text, options) => {
    const ids = all(options).map((_, i) => `zoneseal${i + 1}`);
    const remotes = all(options).map(
      ({ host, port }, i) =>
        `  - id: ${ids[i]}\n    address: ${host}@${port}\n    key: ${options.key.name}\n`,
    );
    const listed = replaced(
      replaced(text, / {2}- id: zoneseal\n(?: {4}.*\n)*/g, remotes.join('')),
      /master: zoneseal$/gm,
      `master: [ ${ids.join(', ')} ]`,
    );
    if (text.includes('action: notify')) return listed;
    const rule = `acl:\n  - id: told\n    address: 127.0.0.1\n    key: ${options.key.name}\n    action: notify\n`;
    return replaced(replaced(listed, /^acl:\n/gm, rule), /acl: copies$/gm, 'acl: [ copies, told ]');
  },
  pdns_server: (text, options) => {
    const { host, port } = options.primary;
    const list = all(options).map((target) => `${target.host}:${target.port}`);
    return text.replaceAll(` ${host}:${port}`, ` ${list.join(' ')}`);
  },
};

/** A configuration with all primaries of a secondary, from each of which it takes NOTIFY; left alone where there is one. */
export function withAllPrimaries(program: SecondaryProgram, text: string, options: SecondaryOptions): string {
  return options.morePrimaries === undefined ? text : CHANGES[program](text, options);
}
