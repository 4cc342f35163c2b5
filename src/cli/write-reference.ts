import { writeFileSync } from 'node:fs';
import { buildProgram } from './program.js';
import { formatReference } from './reference.js';

// run as `node dist/cli/write-reference.js docs/cli.md`
const [, , file] = process.argv;
if (file === undefined) throw new Error('give the file to write, docs/cli.md');
writeFileSync(file, formatReference(await buildProgram()));
