/** Uploads: a file in one request, or in parts if it is large. */
import type { Client } from "./client.js";
import { ConnectionFailed, ResponseError, SocialSyncerError, UploadFailed, UploadInterrupted } from "./errors.js";
import type { components } from "./generated/schema.js";
import { pause } from "./pause.js";
import type { Keyed, Options } from "./types.js";

type MediaFile = components["schemas"]["MediaFile"];

/** Larger files go in parts: after a broken connection only a part is sent again. */
const LARGEST_WHOLE = 32 * 1024 * 1024;
/** The API takes this many parts of a file at a time. */
const AT_A_TIME = 4;

/** How a file is uploaded. */
export interface UploadOptions {
  /** Default: the name of a `File`. */
  filename?: string;
  /** Default: the type of the `Blob`. The first bytes of a file decide about it. */
  contentType?: string;
  /** The `mediaId` of an upload that was interrupted. */
  resume?: string;
  signal?: AbortSignal;
}

/** A PUT to an address that the API has named. */
export type Put = (url: string, data: Blob, headers: Record<string, string>, signal?: AbortSignal) => Promise<void>;

export async function upload(client: Client, put: Put, file: Blob, options: UploadOptions): Promise<MediaFile> {
  const { signal } = options;
  const about = {
    filename: options.filename ?? (file as { name?: string }).name ?? "file",
    contentType: options.contentType || file.type || "application/octet-stream",
    size: file.size,
  };
  const rest = signal ? { signal } : {};
  if (options.resume === undefined && file.size <= LARGEST_WHOLE) {
    const place = await client.presignUpload(about, rest);
    await put(place.uploadUrl, file, place.headers, signal);
    return settled(await client.completeUpload(place.id, rest));
  }
  const id = options.resume ?? (await client.beginMultipart(about, rest)).id;
  try {
    return await sendParts(client, put, file, id, signal);
  } catch (error) {
    // A bucket refuses addresses of parts that are too old, by 403.
    const passes = error instanceof ResponseError && (error.status >= 500 || error.status === 429 || error.status === 403);
    if (!passes && !(error instanceof ConnectionFailed)) throw error;
    throw new UploadInterrupted(id, { cause: error });
  }
}

async function sendParts(client: Client, put: Put, file: Blob, id: string, signal?: AbortSignal): Promise<MediaFile> {
  const rest = signal ? { signal } : {};
  // An upload that is complete has no parts: then only the answer was lost.
  const begun = await client.getMultipart(id, rest).catch((error: unknown) => {
    if (error instanceof ResponseError && error.status === 404) return { parts: [], partSize: 0 };
    throw error;
  });
  const waiting = begun.parts.filter((part) => !part.received).map((part) => ({ ...part, from: (part.number - 1) * begun.partSize }));
  const send = async (): Promise<void> => {
    for (let part = waiting.shift(); part; part = waiting.shift()) {
      const bytes = file.slice(part.from, part.from + part.size);
      if (part.uploadUrl) await put(part.uploadUrl, bytes, { "Content-Type": "application/octet-stream" }, signal);
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, send));
  return settled(await client.completeMultipart(id, { timeout: 120, ...rest }));
}

/** How a file is fetched from an address. */
export interface FetchOptions extends Options, Keyed {
  /** Default: the name at the end of the address. */
  filename?: string;
  /** Seconds to wait for the file, 300 by default. */
  within?: number;
}

export async function uploadFromUrl(client: Client, url: string, options: FetchOptions): Promise<MediaFile> {
  const { filename, within = 300, idempotencyKey, ...rest } = options;
  const until = Date.now() + within * 1000;
  let media = await client.fetchMedia({ url, ...(filename && { filename }) }, { ...rest, ...(idempotencyKey && { idempotencyKey }) });
  for (let wait = 1; media.state === "fetching"; wait = Math.min(wait * 1.5, 15)) {
    const left = (until - Date.now()) / 1000;
    if (left <= 0) throw new SocialSyncerError(`${media.id} was not fetched within ${within} seconds; the service continues`);
    await pause(Math.min(left, wait), rest.signal);
    media = await client.getMedia(media.id, rest);
  }
  if (media.state !== "ready") throw new UploadFailed(media);
  return media;
}

function settled(media: MediaFile): MediaFile {
  if (media.state !== "ready") throw new SocialSyncerError(`${media.filename} is ${media.state}, and no post can use it`);
  return media;
}
