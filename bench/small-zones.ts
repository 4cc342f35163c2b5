import type { Row } from './report.js';
export async function smallZones(_: { zones: number; profile: boolean }): Promise<Row[]> {
  return [];
}
