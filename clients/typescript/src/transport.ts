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
  /** A function to be called in place of the global fetch. */
  fetch?: typeof fetch;
}

/** The connection of a client: address, key and the pace that the API asks for. */
export class Transport {
  readonly #address: string;
  readonly #key: string;
  readonly #attempts: number;
  readonly #fetch: typeof fetch;
  /** No request leaves before, because the API said that no request remains until then. */
  #free = 0;

  constructor(options: ClientOptions) {
    const api = options.api ?? variable("SOCIALSYNCER_API_URL");
    const key = options.key ?? variable("SOCIALSYNCER_API_KEY");
    if (!api || !key) {
      throw new SocialSyncerError("Give `api` and `key`, or set SOCIALSYNCER_API_URL and SOCIALSYNCER_API_KEY");
    }
    // fetch would name a wrong header, and the key with it, in its error.
    if (!/^[\x21-\x7e]+$/.test(key)) throw new SocialSyncerError("The key has characters that no API key has");
    const address = URL.canParse(api) ? new URL(api) : undefined;
    if (!address || !/^https?:$/.test(address.protocol) || address.username || address.search || address.hash) {
      throw new SocialSyncerError("`api` must be an address such as https://posts.example.com");
    }
    this.#address = address.href.replace(/\/+$/, "");
    this.#key = key;
    this.#attempts = Math.max(1, options.attempts ?? 4);
    this.#fetch = options.fetch ?? ((...request) => globalThis.fetch(...request));
  }

  /** Send a request, and return the JSON of its answer. */
  async send(sent: Sent, options: Options & Keyed & Waiting): Promise<unknown> {
    const headers = this.#headers(sent, options);
    const safe = sent.method === "GET" || headers.has("Idempotency-Key");
    const attempts = safe ? this.#attempts : 1;
    const request = { method: sent.method, headers, redirect: "manual" as const, body: bodyOf(sent) };
    let mayHaveArrived = false;
    for (let attempt = 1; ; attempt += 1) {
      await pause((this.#free - Date.now()) / 1000, options.signal);
      const deadline = AbortSignal.timeout((options.timeout ?? TIMEOUT_S) * 1000);
      const signal = options.signal ? AbortSignal.any([options.signal, deadline]) : deadline;
      let wait = 0.5 * 2 ** (attempt - 1) * (0.5 + Math.random());
      try {
        const response = await this.#fetch(this.#address + sent.path + searchOf(sent.query), { ...request, signal });
        this.#notePace(response);
        const body = await readJson(response);
        if (response.ok && body !== undefined) return body;
        const retryAfter = secondsOf(response.headers.get("Retry-After"));
        const refused = new ResponseError(
          response.status, body, retryAfter, response.headers.get("X-Request-Id") ?? undefined,
        );
        if (!REPEATABLE.has(response.status) || attempt >= attempts || (retryAfter ?? 0) > LONGEST_WAIT_S) throw refused;
        mayHaveArrived ||= !NOTHING_DONE.has(response.status);
        wait = retryAfter ?? wait;
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

  #headers(sent: Sent, options: Keyed & Waiting): Headers {
    const headers = new Headers({ Authorization: `Bearer ${this.#key}`, Accept: "application/json" });
    // Browsers name themselves, and take no other name.
    if (!("document" in globalThis)) headers.set("User-Agent", USER_AGENT);
    if (sent.content) headers.set("Content-Type", sent.content.type);
    else if (sent.body !== undefined) headers.set("Content-Type", "application/json");
    if (sent.keyed) headers.set("Idempotency-Key", options.idempotencyKey ?? crypto.randomUUID());
    if (options.wait !== undefined) headers.set("Prefer", `wait=${Math.floor(options.wait)}`);
    return headers;
  }

  /** Keep the pace of the header RateLimit (`"requests";r=0;t=3`): with no request left, wait until there are new ones. */
  #notePace(response: Response): void {
    const limit = /^"requests";r=0;t=(\d+)/.exec(response.headers.get("RateLimit") ?? "");
    if (limit?.[1]) this.#free = Date.now() + Math.min(Number(limit[1]), LONGEST_WAIT_S) * 1000;
  }
}

/** Return a part of a path. Dots alone would name another path, and so another operation. */
export function segment(value: string): string {
  if (/^\.{0,2}$/.test(value)) throw new SocialSyncerError(`An id is missing in the path: ${JSON.stringify(value)}`);
  return encodeURIComponent(value);
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
