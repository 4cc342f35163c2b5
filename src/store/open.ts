import { Database, type DatabaseOptions } from './database.js';
import { EmbeddedPostgres, SOCKET_PORT } from './embedded.js';

/** A PostgreSQL by its URL, or the embedded one in a folder of its own. */
export type OpenDatabaseOptions =
  | (Omit<DatabaseOptions, 'socket' | 'embedded' | 'recover'> & { readonly url: string })
  | (Pick<DatabaseOptions, 'poolSize' | 'statementTimeout' | 'connectTimeout' | 'applicationName'> & {
      /** Folder for the embedded database; made when it is not there. */
      readonly embedded: string;
    });

/**
 * Opens the database. A PostgreSQL is not connected to before the first statement. The embedded one is started in a thread,
 * or reached through the process (a running gateway) that has its folder open.
 * @throws ZonesealError EMBEDDED_FAILED
 */
export async function openDatabase(options: OpenDatabaseOptions): Promise<Database> {
  if (!('embedded' in options)) return new Database(options);
  const { embedded: folder, ...rest } = options;
  const postgres = new EmbeddedPostgres(folder);
  await postgres.ensure();
  const database = new Database({
    ...rest,
    embedded: true,
    socket: () => ({
      folder: postgres.socketFolder,
      port: SOCKET_PORT,
      user: 'postgres',
      database: 'postgres',
    }),
    recover: () => postgres.ensure(),
  });
  database.onClose(() => postgres.stop());
  return database;
}
