/** Imports: posts from the content of a file. */
import { SocialSyncerError } from "./errors.js";
import type { Answer, Body, Keyed, Options, Query, Sent } from "./types.js";

type Content = string | Blob | Uint8Array<ArrayBuffer>;
type Send = (sent: Sent, options: Options & Keyed) => Promise<unknown>;
const TIMEOUT_S = 120;

/** How the rows of a file are written. */
export type ImportType = "text/csv" | "application/x-ndjson";

/** A campaign, and what the import of its posts has done. */
export interface CampaignImport {
  campaign: Answer<"createCampaign">;
  import: Answer<"createImport">;
}

/** What becomes of rows whose posts exist, and of conflicts with what was changed on the posts. */
export interface UpdateOptions {
  onExisting?: "keep" | "update";
  onConflict?: "refuse" | "keep" | "overwrite";
}

export async function importContent(
  send: Send, content: Content, type: ImportType, query: Query<"createImport">, options: Options & Keyed,
): Promise<Answer<"createImport">> {
  const sent = { method: "POST", path: "/v1/imports", query, content: { type, data: content }, keyed: true };
  return (await send(sent, { timeout: TIMEOUT_S, ...options })) as Answer<"createImport">;
}

export async function campaignFromCsv(
  send: Send, csv: Content, campaign: Body<"createCampaign">, options: Options & UpdateOptions,
): Promise<CampaignImport> {
  const { onExisting = "update", onConflict, ...rest } = options;
  const data = await new Blob([csv]).arrayBuffer();
  requireExternalIds(new TextDecoder().decode(data.slice(0, 65_536)));
  // The key is that of the campaign's fields, so that a repeat finds the campaign, whatever the file has become.
  const idempotencyKey = `campaign-from-csv/${await digest(new TextEncoder().encode(canonical(campaign)))}`;
  const made = { method: "POST", path: "/v1/campaigns", body: campaign, keyed: true };
  const created = (await send(made, { ...rest, idempotencyKey })) as Answer<"createCampaign">;
  // A key of the file's bytes would answer a file that is again as it was with what was done then.
  const query = { campaignId: created.id, onExisting, ...(onConflict && { onConflict }) };
  const imported = await importContent(send, new Blob([data]), "text/csv", query, rest);
  return { campaign: created, import: imported };
}

/** Throws if the header has no column `externalId`: without it, a repeat would create all posts again. */
function requireExternalIds(text: string): void {
  const header = text.replace(/^\uFEFF/, "").split(/\r?\n/, 1)[0] ?? "";
  const columns = header.split(/[,;\t]/).map((name) => name.trim().replace(/^"(.*)"$/, "$1"));
  if (!columns.includes("externalId")) {
    throw new SocialSyncerError("The file needs a column externalId, by which a repeat knows its posts");
  }
}

/** Return JSON in the one form that the Python client makes, too: keys sorted, no spaces, ASCII. */
function canonical(value: unknown): string {
  const sorted = JSON.stringify(value, (_, part: unknown) =>
    typeof part === "object" && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([one], [other]) => (one < other ? -1 : 1)))
      : part,
  );
  return sorted.replace(/[\u0080-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

async function digest(data: BufferSource): Promise<string> {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", data));
  return Array.from(bytes.subarray(0, 16), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
