import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { openDatabase } from '../../src/store/open.js';
import { upgradingSuite } from './suites/upgrading.js';

const folder = mkdtempSync(join(tmpdir(), 'zoneseal-upgrading-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

upgradingSuite((name) => openDatabase({ embedded: join(folder, name) }));
