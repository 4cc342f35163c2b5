import type { ZonesealError } from '../errors.js';
import { lost } from './failure.js';
import type { Publication, PublicationStore } from './ports.js';

/** Whose lease it is, and how long it is good for. */
export interface LeaseOptions {
  readonly store: Pick<PublicationStore, 'renewLease'>;
  readonly gateway: string;
  readonly leaseSeconds: number;
}

/** Prolongs the lease of a publication while it is made, until `stop`. `check` throws once it is known to be lost. */
export function keepLease(
  publication: Publication,
  { store, gateway, leaseSeconds }: LeaseOptions,
  onLost: (error: ZonesealError) => void,
): { readonly check: () => void; readonly stop: () => void } {
  let isOurs = true;
  const renew = (): void => {
    store.renewLease(publication.id, gateway, leaseSeconds).then(
      (ours) => {
        isOurs = ours;
        if (!ours) onLost(lost(publication));
      },
      () => undefined, // the database is away; the lease tells when it is back
    );
  };
  const beat = setInterval(renew, (leaseSeconds * 1000) / 3);
  return {
    check: () => {
      if (!isOurs) throw lost(publication);
    },
    stop: () => clearInterval(beat),
  };
}
