import http from 'node:http';
import https from 'node:https';
import type { Duplex } from 'node:stream';
import { rootCertificates } from 'node:tls';
import axios, { type AxiosInstance } from 'axios';
import { ZonesealError } from '../errors.js';
import type { CheckedSettings } from './settings.js';

export type Service = 'keystone' | 'barbican';

/** One request. Whatever it holds may be secret and goes to the server alone. */
export interface HttpRequest {
  readonly service: Service;
  /** What it is for, in the words of metrics: `read-payload`. */
  readonly operation: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly url: string;
  /** Exactly one media type; Barbican refuses lists. */
  readonly accept: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Larger answers are refused. Octets. */
  readonly limit: number;
  readonly signal?: AbortSignal;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Buffer;
  /** The server's own id of the request, for its operators; checked to be one. */
  readonly requestId: string | undefined;
}

/** Why no answer came, by the codes of Node, axios and OpenSSL; `certain` where nothing can have been sent. */
const FAILURES: Readonly<Record<string, { readonly text: string; readonly certain?: true }>> = {
  ECONNREFUSED: { text: 'it refuses the connection', certain: true },
  ENOTFOUND: { text: 'its name is unknown', certain: true },
  EAI_AGAIN: { text: 'its name cannot be resolved now', certain: true },
  EHOSTUNREACH: { text: 'its host cannot be reached', certain: true },
  ENETUNREACH: { text: 'its network cannot be reached', certain: true },
  ECONNECT_TIMEOUT: { text: 'no connection was made in time', certain: true },
  ECONNRESET: { text: 'the connection was reset' },
  EPIPE: { text: 'the connection was closed' },
  ETIMEDOUT: { text: 'no whole answer came in time' },
  ECONNABORTED: { text: 'no whole answer came in time' },
  ERR_CANCELED: { text: 'no whole answer came in time' },
  ERR_BAD_RESPONSE: { text: 'its answer broke off or was too large' },
};

/**
 * HTTP to Keystone and Barbican. Redirects are not followed (the token would go along), proxies of the environment are not
 * used, bodies are octets, and whatever goes wrong becomes an error of ours: axios's own hold the token and the payload.
 */
export class HttpClient {
  readonly #axios: AxiosInstance;
  readonly #requestTimeout: number;
  readonly #kept: { httpAgent: http.Agent; httpsAgent: https.Agent };
  readonly #fresh: { httpAgent: http.Agent; httpsAgent: https.Agent };

  constructor(settings: CheckedSettings) {
    this.#requestTimeout = settings.requestTimeout;
    this.#kept = agents(settings, true);
    this.#fresh = agents(settings, false);
    this.#axios = axios.create({
      maxRedirects: 0,
      proxy: false,
      responseType: 'arraybuffer',
      decompress: false,
      validateStatus: () => true,
      transformRequest: [],
      transformResponse: [],
    });
  }

  /**
   * Sends a request and reads the whole answer, whatever its status.
   * @throws ZonesealError KEYSTORE_UNAVAILABLE (fields.transient, and fields.unsent where the server has seen nothing of it)
   */
  async send(request: HttpRequest): Promise<HttpAnswer> {
    const deadline = AbortSignal.timeout(this.#requestTimeout);
    const signal = request.signal === undefined ? deadline : AbortSignal.any([deadline, request.signal]);
    try {
      const answer = await this.#axios.request<Buffer>({
        method: request.method,
        url: request.url,
        headers: headersOf(request),
        ...(request.json === undefined ? {} : { data: JSON.stringify(request.json) }),
        // a connection that was kept may die under a request: what must not be sent twice gets one of its own
        ...(request.method === 'POST' ? this.#fresh : this.#kept),
        maxContentLength: request.limit,
        maxBodyLength: 1_048_576,
        signal,
      });
      const headers = answer.headers as Record<string, string | undefined>;
      if ((headers['content-encoding'] ?? 'identity') !== 'identity') {
        const { service, operation } = request;
        const message = `${nameOf(service)} (${operation}) compressed its answer, which was not asked for`;
        throw new ZonesealError('KEYSTORE_ANSWER_INVALID', message, { service, operation });
      }
      return {
        status: answer.status,
        headers,
        body: Buffer.from(answer.data),
        requestId: requestIdOf(headers),
      };
    } catch (error) {
      if (error instanceof ZonesealError) throw error;
      throw unanswered(request, error);
    }
  }

  /** Closes the connections that are kept. */
  close(): void {
    for (const set of [this.#kept, this.#fresh]) {
      set.httpAgent.destroy();
      set.httpsAgent.destroy();
    }
  }
}

/** The service's name as people write it. */
export function nameOf(service: Service): string {
  return service === 'keystone' ? 'Keystone' : 'Barbican';
}

function headersOf(request: HttpRequest): Record<string, string> {
  return {
    Accept: request.accept,
    'Accept-Encoding': 'identity',
    'User-Agent': 'zoneseal',
    ...(request.json === undefined ? {} : { 'Content-Type': 'application/json' }),
    ...request.headers,
  };
}

function requestIdOf(headers: Readonly<Record<string, string | undefined>>): string | undefined {
  const id = headers['x-openstack-request-id'];
  return id !== undefined && /^req-[0-9a-f-]{36}$/.test(id) ? id : undefined;
}

/** The code of what was thrown is read, its text and everything else it carries is left behind. */
function unanswered(request: HttpRequest, thrown: unknown): ZonesealError {
  const { service, operation } = request;
  const code = codeOf(thrown);
  const known = FAILURES[code];
  const fields = { service, operation };
  if (known !== undefined) {
    const message = `${nameOf(service)} (${operation}) does not answer: ${known.text}`;
    const unsent = known.certain === true;
    return new ZonesealError('KEYSTORE_UNAVAILABLE', message, {
      ...fields,
      cause: code,
      transient: true,
      unsent,
    });
  }
  if (/CERT|TLS|SSL|ISSUER|ERR_TLS|EPROTO/.test(code)) {
    const message = `${nameOf(service)} (${operation}): its certificate is not accepted (${code}); give the CA that signed it`;
    return new ZonesealError('KEYSTORE_UNAVAILABLE', message, { ...fields, cause: code, unsent: true });
  }
  const message = `${nameOf(service)} (${operation}) does not answer: the request failed (${code})`;
  return new ZonesealError('KEYSTORE_UNAVAILABLE', message, { ...fields, cause: code, transient: true });
}

function codeOf(thrown: unknown): string {
  const inner = (thrown as { cause?: { code?: unknown } } | null)?.cause?.code;
  const outer = (thrown as { code?: unknown } | null)?.code;
  for (const code of [inner, outer]) {
    if (typeof code === 'string' && /^[A-Z][A-Z0-9_]{2,63}$/.test(code)) return code;
  }
  return 'UNKNOWN';
}

function agents(
  settings: CheckedSettings,
  keepAlive: boolean,
): { httpAgent: http.Agent; httpsAgent: https.Agent } {
  const options = { keepAlive, maxSockets: settings.concurrency, maxFreeSockets: settings.concurrency };
  const ca = settings.ca === undefined ? {} : { ca: [...rootCertificates, settings.ca] };
  const httpAgent = new http.Agent(options);
  const httpsAgent = new https.Agent({ ...options, ...ca, minVersion: 'TLSv1.2' });
  limitConnecting(httpAgent, 'connect', settings.connectTimeout);
  limitConnecting(httpsAgent, 'secureConnect', settings.connectTimeout);
  return { httpAgent, httpsAgent };
}

type Connect = (
  options: http.ClientRequestArgs,
  done?: (error: Error | null, stream: Duplex) => void,
) => Duplex;

/** Node has no time-out for making a connection alone. */
function limitConnecting(agent: http.Agent, connected: string, milliseconds: number): void {
  const connecting = agent as unknown as { createConnection: Connect };
  const connect = connecting.createConnection.bind(agent);
  connecting.createConnection = (options, done) => {
    const socket = connect(options, done);
    const timer = setTimeout(() => {
      socket.destroy(Object.assign(new Error('no connection in time'), { code: 'ECONNECT_TIMEOUT' }));
    }, milliseconds);
    const stop = () => clearTimeout(timer);
    socket.once(connected, stop).once('close', stop);
    return socket;
  };
}
