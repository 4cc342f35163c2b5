import { ZonesealError } from '../errors.js';

/** Who the gateway is to Keystone. */
export type Credentials =
  | {
      readonly kind: 'password';
      readonly username: string;
      /** The domain's name. */
      readonly userDomain: string;
      readonly password: string;
      readonly project: string;
      /** The domain's name. */
      readonly projectDomain: string;
    }
  | { readonly kind: 'application_credential'; readonly id: string; readonly secret: string };

/** How Keystone and Barbican are reached. Times are in milliseconds. */
export interface BarbicanSettings {
  /** Keystone, with or without `/v3`. */
  readonly keystoneUrl: string;
  readonly credentials: Credentials;
  /** Reads them anew, from where they may have been replaced, once they or a token of theirs were refused; left out, they stay as they are. */
  readonly readCredentials?: () => Credentials;
  /** Barbican, with or without `/v1`; left out, the catalog says where it is. */
  readonly barbicanUrl?: string;
  /** The region in the catalog; needed only where it has several. */
  readonly region?: string;
  /** The interface in the catalog. Default public. */
  readonly interface?: 'public' | 'internal' | 'admin';
  /** The API microversion that is asked for, such as 1.1; left out, the server's default. */
  readonly microversion?: string;
  /** PEM of the CA that signed the servers' certificates, beside those that Node knows. */
  readonly ca?: string;
  /** Until a connection is made. Default 5,000. */
  readonly connectTimeout?: number;
  /** Until an answer is whole. Default 10,000. */
  readonly requestTimeout?: number;
  /** Until an operation has succeeded or failed, with all its attempts. Default 30,000, or all of their request time-outs. */
  readonly totalTimeout?: number;
  /** Attempts at an operation that can be repeated. Default 3. */
  readonly attempts?: number;
  /** Requests at once. Default 8. */
  readonly concurrency?: number;
  /** Operations that may wait for their turn. Default 1,024. */
  readonly queue?: number;
  /** Failures in a row after which requests are refused here for a while. Default 5. */
  readonly breakAfter?: number;
  /** How long they are refused before one is let through as a trial. Default 10,000. */
  readonly breakFor?: number;
}

type Optional = 'barbicanUrl' | 'region' | 'microversion' | 'ca' | 'readCredentials';

/** Settings with their defaults put in and their addresses checked. */
export type CheckedSettings = Readonly<
  Required<Omit<BarbicanSettings, Optional>> & Pick<BarbicanSettings, Optional>
>;

/**
 * Settings with their defaults put in.
 * @throws ZonesealError KEYSTORE_CONFIG_INVALID
 */
export function checkSettings(settings: BarbicanSettings): CheckedSettings {
  const defined = Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
  if (
    settings.microversion !== undefined &&
    !/^([0-9]{1,3}\.[0-9]{1,3}|latest)$/.test(settings.microversion)
  ) {
    throw invalid('the microversion is not of the form 1.1');
  }
  return {
    interface: 'public',
    connectTimeout: 5000,
    requestTimeout: 10_000,
    totalTimeout: Math.max(30_000, (settings.requestTimeout ?? 0) * (settings.attempts ?? 3)),
    attempts: 3,
    concurrency: 8,
    queue: 1024,
    breakAfter: 5,
    breakFor: 10_000,
    ...(defined as unknown as BarbicanSettings),
    keystoneUrl: serviceUrl(settings.keystoneUrl, 'v3', 'the address of Keystone'),
    ...(settings.barbicanUrl === undefined
      ? {}
      : { barbicanUrl: serviceUrl(settings.barbicanUrl, 'v1', 'the address of Barbican') }),
  };
}

/**
 * The root of an API below a service's address, without a slash at its end: the version is added where it is missing.
 * @throws ZonesealError KEYSTORE_CONFIG_INVALID
 */
export function serviceUrl(address: string, version: string, what: string): string {
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    throw invalid(`${what} is no URL`);
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw invalid(`${what} is neither http nor https`);
  if (url.username !== '' || url.password !== '') throw invalid(`${what} must not hold a user or password`);
  if (url.search !== '' || url.hash !== '') throw invalid(`${what} must not hold a query or fragment`);
  const path = url.pathname.replace(/\/+$/, '');
  return `${url.origin}${path.endsWith(`/${version}`) ? path : `${path}/${version}`}`;
}

function invalid(reason: string): ZonesealError {
  return new ZonesealError('KEYSTORE_CONFIG_INVALID', `the settings for Barbican: ${reason}`, { reason });
}
