/** Requests by fetch: with a key that makes repeats safe, and repeated only if they are. */
import { ConnectionFailed, ResponseError, SocialSyncerError } from "./errors.js";
import { USER_AGENT } from "./generated/version.js";
import { pause } from "./pause.js";
import type { Keyed, Options, Sent, Waiting } from "./types.js";

const REPEATABLE = new Set([408, 429, 500, 502, 503, 504]);
/** Refused before anything was done; other repeatable answers prove nothing about a change. */
const NOTHING_DONE = new Set([429, 503]);
/** Codes of Node's errors without a connection. Browsers do not tell. */
const NOT_CONNECTED = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "UND_ERR_CONNECT_TIMEOUT"]);
/** Addresses of the API that take bytes. */
const OWN_PATH = /\/(media\/upload\/[^/]+|v1\/media\/multipart\/[^/]+\/parts\/\d+)$/;
const LOOPBACK = /^(localhost|.+\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;
const LONGEST_WAIT_S = 60;
const TIMEOUT_S = 65;

/** Where the API is, and how it is asked. */
export interface ClientOptions {
  /** The address of the API. Default: the environment variable SOCIALSYNCER_API_URL. */
  api?: string | undefined;
  /** The API key. Default: the environment variable SOCIALSYNCER_API_KEY. Do not give it to a browser's page. */
  key?: string | undefined;
  /** Attempts of a request that may be repeated, in all. Default: 4. */
  attempts?: number;
  /** The most seconds to wait before a request or a repeat, as the API says. Default: 60; with one attempt, 0 before a request. */
  maxWait?: number;
  /** Whether the key may go over http to another machine than this one. */
  allowHttp?: boolean;
  /** A function to be called in place of the global fetch. */
  fetch?: typeof fetch;
}

/** The connection of a client: address, key and the pace that the API asks for. */
export class Transport {
  readonly #address: string;
  readonly #key: string;
  readonly #attempts: number;
  readonly #maxWait: number;
  readonly #fetch: typeof fetch;
  /** No request leaves before, because the API said that no request remains until then. */
  #free = 0;
  #interval = 0;

  constructor(options: ClientOptions) {
    const api = (options.api ?? variable("SOCIALSYNCER_API_URL"))?.trim();
    // A key that is read from a file often ends with a line break.
    const key = (options.key ?? variable("SOCIALSYNCER_API_KEY"))?.trim();
    if (!api || !key) {
      throw new SocialSyncerError("Give `api` and `key`, or set SOCIALSYNCER_API_URL and SOCIALSYNCER_API_KEY");
    }
    // fetch would name a wrong header, and the key with it, in its error.
    if (!/^[\x21-\x7e]+$/.test(key)) throw new SocialSyncerError("The key has characters that no API key has");
    const address = URL.canParse(api) ? new URL(api) : undefined;
    if (!address || !/^https?:$/.test(address.protocol) || address.username || address.search || address.hash) {
      throw new SocialSyncerError("`api` must be an address such as https://posts.example.com");
    }
    if (!options.allowHttp && address.protocol === "http:" && !LOOPBACK.test(address.hostname)) {
      throw new SocialSyncerError("`api` must begin with https://, or the key can be read on its way (allowHttp)");
    }
    this.#address = address.href.replace(/\/+$/, "");
    this.#key = key;
    this.#attempts = Math.max(1, options.attempts ?? 4);
    this.#maxWait = options.maxWait ?? LONGEST_WAIT_S;
    this.#fetch = options.fetch ?? ((...request) => globalThis.fetch(...request));
  }

  /** Send a request, and return the JSON of its answer. */
  async send(sent: Sent, options: Options & Keyed & Waiting): Promise<unknown> {
    const headers = this.#headers(sent, options);
    const safe = sent.method === "GET" || sent.repeatable || headers.has("Idempotency-Key");
    const attempts = safe ? this.#attempts : 1;
    const body = sent.eachKeyed ? withKeys(sent.body, headers.get("Idempotency-Key") ?? "") : sent.body;
    const request = { method: sent.method, headers, redirect: "manual" as const, body: bodyOf({ ...sent, body }) };
    let mayHaveArrived = false;
    for (let attempt = 1; ; attempt += 1) {
      await pause(this.#turn(), options.signal);
      const deadline = after(options.timeout ?? TIMEOUT_S);
      const signal = options.signal ? AbortSignal.any([options.signal, deadline]) : deadline;
      let wait = randomWait(attempt);
      try {
        const response = await this.#fetch(this.#address + sent.path + searchOf(sent.query), { ...request, signal });
        this.#notePace(response);
        const body = await readJson(response);
        if (response.ok && body !== undefined) return body;
        const refused = refusal(response, body);
        const { retryAfter = wait } = refused;
        if (!REPEATABLE.has(response.status) || attempt >= attempts || retryAfter > this.#maxWait) throw refused;
        mayHaveArrived ||= !NOTHING_DONE.has(response.status);
        wait = retryAfter;
      } catch (error) {
        options.signal?.throwIfAborted();
        if (error instanceof ResponseError) throw error;
        mayHaveArrived ||= !NOT_CONNECTED.has(causeOf(error));
        if (attempt >= attempts) {
          const what = deadline.aborted ? "did not answer in time" : "cannot be reached, or broke the connection";
          const wasSent = mayHaveArrived && sent.method !== "GET";
          const key = headers.get("Idempotency-Key") ?? undefined;
          throw new ConnectionFailed(`The API ${what}`, wasSent, key, { cause: error });
        }
      }
      await pause(wait, options.signal);
    }
  }

  /**
   * Send bytes to an address that the API has named. One of its own is called where the client calls the API; one of a
   * store of files is signed by its query. No other server gets the key.
   */
  async put(url: string, data: Blob, headers: Record<string, string>, signal?: AbortSignal): Promise<void> {
    const named = new URL(url);
    const own = named.search ? undefined : OWN_PATH.exec(named.pathname)?.[0];
    const address = own ? this.#address + own : url;
    const authorization = own?.startsWith("/v1/") ? { Authorization: `Bearer ${this.#key}` } : {};
    // A minute, and a second for each 100 kB.
    const timeout = 60 + data.size / 100_000;
    for (let attempt = 1; ; attempt += 1) {
      const deadline = after(timeout);
      let wait = randomWait(attempt);
      try {
        const response = await this.#fetch(address, {
          method: "PUT", body: data, headers: { ...headers, ...authorization }, redirect: "manual",
          signal: signal ? AbortSignal.any([signal, deadline]) : deadline,
        });
        const body = await readJson(response);
        if (response.ok) return;
        // 409: a request that broke off still holds the part.
        const mayPass = REPEATABLE.has(response.status) || response.status === 409;
        const refused = refusal(response, body);
        const { retryAfter = wait } = refused;
        if (!mayPass || attempt >= this.#attempts || retryAfter > this.#maxWait) throw refused;
        wait = retryAfter;
      } catch (error) {
        signal?.throwIfAborted();
        if (error instanceof ResponseError) throw error;
        if (attempt >= this.#attempts) {
          throw new ConnectionFailed("The file cannot be sent", true, undefined, { cause: error });
        }
      }
      await pause(wait, signal);
    }
  }

  #headers(sent: Sent, options: Keyed & Waiting): Headers {
    const headers = new Headers({ Authorization: `Bearer ${this.#key}`, Accept: "application/json" });
    // Browsers name themselves, and take no other name.
    if (!("document" in globalThis)) headers.set("User-Agent", USER_AGENT);
    if (sent.content?.type) headers.set("Content-Type", sent.content.type);
    else if (sent.body !== undefined) headers.set("Content-Type", "application/json");
    if (sent.keyed) headers.set("Idempotency-Key", options.idempotencyKey ?? crypto.randomUUID());
    if (options.wait !== undefined) headers.set("Prefer", `wait=${Math.floor(options.wait)}`);
    return headers;
  }

  /** Return the seconds until a request may begin, and reserve its turn; 0 if that is too long, as the API will say. */
  #turn(): number {
    const now = Date.now();
    const wait = Math.max(0, this.#free - now);
    if (wait > (this.#attempts > 1 ? this.#maxWait : 0) * 1000) return 0;
    this.#free = now + wait + this.#interval;
    return wait / 1000;
  }

  /**
   * With no request left (RateLimit: `"requests";r=0`), let requests begin one by one, as the policy (`"requests";q=600;w=60`)
   * gives them back. Otherwise all that run side by side would come back in the same moment.
   */
  #notePace(response: Response): void {
    const remaining = response.headers.get("RateLimit");
    if (!remaining) return;
    this.#interval = 0;
    if (!/"requests";r=0\b/.test(remaining)) return;
    const policy = /"requests";q=(\d+);w=(\d+)/.exec(response.headers.get("RateLimit-Policy") ?? "");
    const wait = policy ? Number(policy[2]) / Math.max(1, Number(policy[1])) : 1;
    this.#interval = Math.min(wait, LONGEST_WAIT_S) * 1000;
    this.#free = Math.max(this.#free, Date.now() + this.#interval);
  }
}

function refusal(response: Response, body: unknown): ResponseError {
  const { status, headers } = response;
  return new ResponseError(status, body, secondsOf(headers.get("Retry-After")), headers.get("X-Request-Id") ?? undefined);
}

/** Return the seconds before the next attempt: clients that failed together must not come back together. */
function randomWait(attempt: number): number {
  return 0.5 * 2 ** (attempt - 1) * (0.5 + Math.random());
}

/** Return a signal of the end of some seconds. It takes whole milliseconds, and 32 bits of them. */
function after(seconds: number): AbortSignal {
  return AbortSignal.timeout(Math.min(Math.ceil(seconds * 1000), 2 ** 31 - 1));
}

/** Return a part of a path. Dots alone would name another path, and so another operation. */
export function segment(part: string | number): string {
  const value = String(part);
  if (/^\.{0,2}$/.test(value)) throw new SocialSyncerError(`An id is missing in the path: ${JSON.stringify(value)}`);
  return encodeURIComponent(value);
}

/** Return the body of many posts, in which each without an id gets a part of the call's key: the same in all attempts. */
function withKeys(body: unknown, key: string): unknown {
  const { posts } = body as { posts: { externalId?: string; idempotencyKey?: string }[] };
  const keyed = posts.map((post, at) => (post.externalId || post.idempotencyKey ? post : { ...post, idempotencyKey: `${key}/${at}` }));
  return { ...(body as object), posts: keyed };
}

function bodyOf(sent: Sent): BodyInit | null {
  if (sent.content) return sent.content.data;
  return sent.body === undefined ? null : JSON.stringify(sent.body);
}

function searchOf(query: object | undefined): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    for (const item of Array.isArray(value) ? value : [value]) {
      if (item !== undefined && item !== null) search.append(name, String(item));
    }
  }
  return search.size ? `?${search}` : "";
}

function causeOf(error: unknown): string {
  const { cause } = error as { cause?: { code?: unknown } };
  return typeof cause?.code === "string" ? cause.code : "";
}

/** Return the JSON of an answer, undefined if it has none: then it is not the API's own. */
async function readJson(response: Response): Promise<unknown> {
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function secondsOf(header: string | null): number | undefined {
  return header !== null && /^\d+$/.test(header) ? Number(header) : undefined;
}

function variable(name: string): string | undefined {
  const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } };
  return process?.env?.[name];
}
