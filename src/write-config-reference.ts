import { writeFileSync } from 'node:fs';
import { formatConfigReference } from './config-reference.js';

// run as `node dist/write-config-reference.js docs/configuration.md`
const [, , file] = process.argv;
if (file === undefined) throw new Error('give the file to write, docs/configuration.md');
writeFileSync(file, formatConfigReference());
