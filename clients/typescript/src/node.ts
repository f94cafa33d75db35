/** Helpers for Node.js, which read files by their paths. */
import { openAsBlob } from "node:fs";
import { basename, extname } from "node:path";
import type { Client } from "./client.js";
import { SocialSyncerError } from "./errors.js";
import type { CampaignImport, ImportType, UpdateOptions } from "./imports.js";
import type { Answer, Body, Keyed, Options, Query } from "./types.js";
import type { UploadOptions } from "./uploads.js";

const TYPES: Record<string, ImportType | undefined> = {
  csv: "text/csv",
  ndjson: "application/x-ndjson",
  jsonl: "application/x-ndjson",
};

const MEDIA: Record<string, string | undefined> = {
  jpg: "image/jpeg", jpeg: "image/jpeg", png: "image/png", gif: "image/gif", webp: "image/webp", heic: "image/heic",
  mp4: "video/mp4", m4v: "video/mp4", mov: "video/quicktime", webm: "video/webm", pdf: "application/pdf",
};

/** Upload a file: `upload` of the client, by the path of the file. It is read as it is sent. */
export async function uploadFile(client: Client, path: string, options: UploadOptions = {}): ReturnType<Client["upload"]> {
  const contentType = MEDIA[extname(path).slice(1).toLowerCase()];
  return client.upload(await openAsBlob(path), { filename: basename(path), ...(contentType && { contentType }), ...options });
}

/** Import the posts of a file; its ending says how its rows are written. */
export async function importFile(
  client: Client, path: string, query: Query<"createImport"> = {}, options: Options & Keyed = {},
): Promise<Answer<"createImport">> {
  const type = TYPES[extname(path).slice(1).toLowerCase()];
  if (!type) throw new SocialSyncerError(`${path} must end in .csv, .ndjson or .jsonl`);
  return client.importContent(await openAsBlob(path), type, query, options);
}

/** Create a campaign with the posts of a CSV file: `campaignFromCsv` of the client, by the path of the file. */
export async function campaignFromCsvFile(
  client: Client, path: string, campaign: Body<"createCampaign">,
  options: Options & UpdateOptions = {},
): Promise<CampaignImport> {
  return client.campaignFromCsv(await openAsBlob(path), campaign, options);
}
