#!/usr/bin/env -S node --max-semi-space-size=32
// the semi-space: what a zone that is being signed leaves behind is garbage before it has to be copied
import { setFlagsFromString } from 'node:v8';
import { reportFailure } from './failure.js';
import { buildProgram } from './program.js';
import { handleBrokenPipes } from './terminal.js';

// a third of what V8 inlines by itself: compiling hot code was a quarter of the CPU of a gateway that warms up
setFlagsFromString('--max-inlined-bytecode-size-cumulative=300');
handleBrokenPipes();
// a listener keeps SIGUSR1 from opening the inspector, through which private keys could be read
process.on('SIGUSR1', () => undefined);
const words = process.argv.slice(2);
const json = words.includes('--json');
try {
  const program = await buildProgram(json, words);
  await program.parseAsync();
} catch (error) {
  process.exitCode = reportFailure(error, { json, debug: words.includes('--debug') });
}
