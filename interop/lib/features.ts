/**
 * What of the step from whole to incremental publications is there. A test that needs a part is left out while its constant is
 * false; when all are true, this file and what asks for it go away.
 */

/** IXFR with differences, from a journal (RFC 1995). */
export const IXFR: boolean = true;

/** NOTIFY to the peers of a view, and SOA polls until they have it. */
export const NOTIFY: boolean = true;

/** Signatures that are made once and used again; work in proportion to the change; renewals in small publications. */
export const INCREMENTAL: boolean = true;

/** `database.replicaUrl`: a replica that is read from once it has reached the publication's zone version. */
export const REPLICA: boolean = true;

/** A database that was set back is noticed, and serial lines jump past what peers serve. */
export const SETBACK: boolean = true;
