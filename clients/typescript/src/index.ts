/** A client of SocialSyncer. Importing it asks nothing of the network. */
export { Client } from "./client.js";
export type { ClientOptions } from "./transport.js";
export {
  ConnectionFailed, ResponseError, SocialSyncerError, UploadFailed, UploadInterrupted, WaitTimeout, WebhookVerificationError,
} from "./errors.js";
export type { Problem } from "./errors.js";
export { EventFollower } from "./events.js";
export type { CampaignImport, ImportType, UpdateOptions } from "./imports.js";
export type { Answer, Body, Keyed, Options, Query, Waiting } from "./types.js";
export type { FetchOptions, UploadOptions } from "./uploads.js";
export { verifyWebhook } from "./webhooks.js";
export type { WebhookHeaders } from "./webhooks.js";
export type * from "./generated/schema.js";
