import { join } from 'node:path';
import { inRounds, type Lab } from './lab.js';
import { during, say } from './progress.js';
import { compared, type Outcome } from './rows.js';
import { writeZone, ZONE } from './zone.js';

interface ImportsOptions {
  /** Of the zone, about. */
  readonly records: number;
  readonly rounds: number;
}

/** Records that ten names of the zone make, on average. */
const RECORDS_OF_TEN_NAMES = 15.5;

/** How fast `zoneseal zone import` puts a master file into PostgreSQL: the whole command, which judges the zone first. */
export async function imports(lab: Lab, { records: wanted, rounds }: ImportsOptions): Promise<Outcome> {
  const file = join(lab.folder, 'import.zone');
  const records = await writeZone(file, ZONE, Math.ceil((10 * wanted) / RECORDS_OF_TEN_NAMES));
  say(`import: a master file of ${records} records, ${rounds} rounds`);
  const rates: number[] = [];
  await inRounds('import', rounds, async (said, round) => {
    const database = `import_${round}`;
    lab.postgres.psql('checkpoint', 'postgres');
    const seconds = await during('import', () => lab.importFile(file, database));
    lab.dropDatabase(database);
    rates.push(records / seconds);
    say(`${said} ${seconds.toFixed(1)} s`);
  });
  return {
    rows: [compared(`import of a master file of ${records} records`, 'RRs/s', rates, { aim: 'import' })],
  };
}
