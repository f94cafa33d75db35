/** The client: a method for each operation of the API, and what takes several requests. */
import { SocialSyncerError, WaitTimeout } from "./errors.js";
import { EventFollower } from "./events.js";
import { Operations } from "./generated/operations.js";
import type { components } from "./generated/schema.js";
import { campaignFromCsv, importContent } from "./imports.js";
import type { CampaignImport, ImportType, UpdateOptions } from "./imports.js";
import { pause } from "./pause.js";
import { Transport } from "./transport.js";
import type { ClientOptions } from "./transport.js";
import type { Answer, Body, Keyed, Options, Query, Sent, Waiting } from "./types.js";
import { upload, uploadFromUrl } from "./uploads.js";
import type { FetchOptions, UploadOptions } from "./uploads.js";

type Post = components["schemas"]["Post"];
const OVER: ReadonlySet<string> = new Set(["published", "partial", "failed"]);
const LONGEST_WAIT_S = 15;
/** The longest wait of a timer: 2³¹ − 1 milliseconds. */
const LONGEST_TIMER_S = 2_147_483;

/** A client of one workspace. */
export class Client extends Operations {
  readonly #transport: Transport;

  constructor(options: ClientOptions = {}) {
    super();
    this.#transport = new Transport(options);
  }

  protected override send(sent: Sent, options: Options & Keyed & Waiting): Promise<unknown> {
    return this.#transport.send(sent, options);
  }

  /**
   * Wait until the publishing of a post is over: `published`, `partial` or `failed`.
   * Throws WaitTimeout after `timeout` seconds (300 by default), and at once for a draft.
   */
  async waitFor(post: Post | string, options: { timeout?: number; signal?: AbortSignal } = {}): Promise<Post> {
    const { timeout = 300, ...rest } = options;
    const until = Date.now() + timeout * 1000;
    const id = typeof post === "string" ? post : post.id;
    for (let wait = 1; ; ) {
      const current = await this.getPost(id, rest);
      if (OVER.has(current.status)) return current;
      if (current.status === "draft" && !current.waitsFor) throw new SocialSyncerError(`${id} is a draft: it is not published by itself`);
      const left = (until - Date.now()) / 1000;
      if (left <= 0) throw new WaitTimeout(current);
      const due = current.status === "scheduled" ? (Date.parse(current.scheduledFor ?? "") - Date.now()) / 1000 : 0;
      await pause(Math.min(left, due > 0 ? due : wait, LONGEST_TIMER_S), rest.signal);
      if (!(due > 0)) wait = Math.min(wait * 1.5, LONGEST_WAIT_S);
    }
  }

  /** Follow the feed of events without an end; `after` is the cursor at which an earlier follower stopped. */
  followEvents(options: Omit<Query<"listEvents">, "limit"> & { signal?: AbortSignal } = {}): EventFollower {
    const { signal, ...query } = options;
    return new EventFollower((after) => {
      const own = after === undefined ? {} : { after };
      return this.listEvents({ ...query, ...own }, { wait: 25, ...(signal && { signal }) });
    }, signal, options.after);
  }

  /** Import posts from a text or file that is CSV or newline-delimited JSON: all, or nothing. */
  importContent(
    content: string | Blob | Uint8Array<ArrayBuffer>, type: ImportType, query: Query<"createImport"> = {}, options: Options & Keyed = {},
  ): Promise<Answer<"createImport">> {
    return importContent(this.#send, content, type, query, options);
  }

  /**
   * Create a campaign with the posts of a CSV file, whose rows all have an `externalId`. Repeated with the same
   * campaign, it finds that campaign and creates no post twice; a corrected file changes what differs.
   */
  campaignFromCsv(
    csv: string | Blob | Uint8Array<ArrayBuffer>, campaign: Body<"createCampaign">,
    options: Options & UpdateOptions = {},
  ): Promise<CampaignImport> {
    return campaignFromCsv(this.#send, csv, campaign, options);
  }

  /** Upload a file, in parts if it is large, and return it: its `publicUrl` goes into `mediaItems` of posts. */
  upload(file: Blob, options: UploadOptions = {}): Promise<components["schemas"]["MediaFile"]> {
    return upload(this, (...request) => this.#transport.put(...request), file, options);
  }

  /** Let the service fetch a file, and return it once it is there. Throws UploadFailed if it cannot be fetched. */
  uploadFromUrl(url: string, options: FetchOptions = {}): Promise<components["schemas"]["MediaFile"]> {
    return uploadFromUrl(this, url, options);
  }

  readonly #send = (sent: Sent, options: Options & Keyed): Promise<unknown> => this.send(sent, options);
}
