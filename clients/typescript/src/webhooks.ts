/** Signatures of webhooks, by Standard Webhooks. */
import { isObject, WebhookVerificationError } from "./errors.js";
import type { components } from "./generated/schema.js";

/** The headers of a request: those of fetch, or of Node's http. */
export type WebhookHeaders = Headers | Record<string, string | string[] | undefined>;

/**
 * Return the event of a request whose signature is right and not older than `tolerance` seconds (300 by default).
 * `body` is the body as it came, not parsed. While a secret is replaced, give both. Throws WebhookVerificationError.
 */
export async function verifyWebhook(
  body: string | Uint8Array<ArrayBuffer> | ArrayBuffer,
  headers: WebhookHeaders,
  secret: string | string[],
  options: { tolerance?: number } = {},
): Promise<components["schemas"]["WorkspaceEvent"]> {
  const id = read(headers, "webhook-id");
  const sent = read(headers, "webhook-timestamp");
  const age = Math.abs(Date.now() / 1000 - Number(sent));
  if (!/^\d+$/.test(sent) || age > (options.tolerance ?? 300)) {
    throw new WebhookVerificationError("The request is too old, or comes from the future");
  }
  const content = new Blob([`${id}.${sent}.`, body]);
  const signed = await content.arrayBuffer();
  const signatures = read(headers, "webhook-signature").split(" ").filter((part) => part.startsWith("v1,"));
  for (const text of [secret].flat()) {
    const bytes = decode(text.replace(/^whsec_/, ""));
    if (!bytes?.length) throw new WebhookVerificationError("The secret is not one of a webhook: whsec_ and base64");
    const key = await crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
    for (const signature of signatures) {
      const mac = decode(signature.slice(3));
      // WebCrypto compares in constant time.
      if (mac && (await crypto.subtle.verify("HMAC", key, mac, signed))) {
        return eventOf(await content.slice(content.size - size(body)).text());
      }
    }
  }
  throw new WebhookVerificationError("No signature of the request is right");
}

function eventOf(body: string): components["schemas"]["WorkspaceEvent"] {
  let event: unknown;
  try {
    event = JSON.parse(body);
  } catch {
    event = undefined;
  }
  if (!isObject(event)) throw new WebhookVerificationError("The request is signed, but its body is no event");
  return event as components["schemas"]["WorkspaceEvent"];
}

function read(headers: WebhookHeaders, name: string): string {
  if (headers instanceof Headers) {
    const value = headers.get(name);
    if (value !== null) return value;
  } else {
    for (const [key, value] of Object.entries(headers)) {
      if (key.toLowerCase() === name && value !== undefined) return [value].flat().join(" ");
    }
  }
  throw new WebhookVerificationError(`The header ${name} is missing`);
}

function size(body: string | Uint8Array | ArrayBuffer): number {
  return typeof body === "string" ? new TextEncoder().encode(body).length : body.byteLength;
}

/** Return the bytes of base64, undefined for another text. */
function decode(base64: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  } catch {
    return undefined;
  }
}
