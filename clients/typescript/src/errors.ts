/** Errors. No error contains the API key. */
import type { components } from "./generated/schema.js";

/** One thing that is wrong with a request. */
export type Problem = components["schemas"]["Problem"];

/** Every error of this package. */
export class SocialSyncerError extends Error {
  override name = "SocialSyncerError";
}

/**
 * No answer came, after all attempts. `sent`: the API may have carried the request out. Then the same request with
 * `idempotencyKey` finds out: what was done already is not done again.
 */
export class ConnectionFailed extends SocialSyncerError {
  override name = "ConnectionFailed";

  constructor(
    message: string,
    readonly sent: boolean,
    readonly idempotencyKey: string | undefined,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The API refused a request, or failed. */
export class ResponseError extends SocialSyncerError {
  override name = "ResponseError";
  readonly type: string;
  /** For programs; docs/errors.md has them all. Empty if the answer is not the API's own, but a proxy's. */
  readonly code: string;
  /** The dotted path of the field at fault. */
  readonly param: string | undefined;
  /** Everything that is wrong. */
  readonly errors: Problem[];
  /** The existing post, if the code is `external_id_taken`. */
  readonly postId: string | undefined;

  constructor(
    readonly status: number,
    body: unknown,
    /** Seconds after which the API takes the request again, if it says so. */
    readonly retryAfter: number | undefined,
    /** Names the request to the operator of the service. */
    readonly requestId: string | undefined,
  ) {
    const answer = isObject(body) ? body : {};
    super(text(answer["error"]) ?? `The API answered with status ${status}`);
    this.type = text(answer["type"]) ?? "";
    this.code = text(answer["code"]) ?? "";
    this.param = text(answer["param"]);
    this.postId = text(answer["postId"]);
    this.errors = Array.isArray(answer["errors"]) ? (answer["errors"] as Problem[]) : [];
  }
}

/** A post was not settled in time. `post` is its last state. */
export class WaitTimeout extends SocialSyncerError {
  override name = "WaitTimeout";

  constructor(readonly post: components["schemas"]["Post"]) {
    super(`${post.id} is still ${post.status}`);
  }
}

/** The service could not fetch a file. `media` says why: `errorCode` and `error`. */
export class UploadFailed extends SocialSyncerError {
  override name = "UploadFailed";

  constructor(readonly media: components["schemas"]["MediaFile"]) {
    super(media.error ?? `${media.id} is ${media.state}`);
  }
}

/** A file has not arrived whole: `upload` with `resume: mediaId` and the same file continues it, within two days. */
export class UploadInterrupted extends SocialSyncerError {
  override name = "UploadInterrupted";

  constructor(readonly mediaId: string, options: ErrorOptions) {
    super(`${mediaId} was not uploaded whole`, options);
  }
}

/** A request does not come from the service, or is too old. */
export class WebhookVerificationError extends SocialSyncerError {
  override name = "WebhookVerificationError";
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
