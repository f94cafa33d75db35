/** Publishes a post to the account in the first argument, waits for it, and follows its events. */
import assert from "node:assert/strict";
import { Client, ResponseError, SocialSyncerError, WaitTimeout } from "socialsyncer-client";
import type { Post } from "socialsyncer-client";

const client = new Client();
const [accountId = "", text = ""] = process.argv.slice(2);
const { cursor } = await client.listEvents();
const target = { platform: "twitter" as const, accountId };
const created: Post = await client.createPost({ content: text, platforms: [target], publishNow: true }, { wait: 0 });
const post = await client.waitFor(created);
assert.equal(post.status, "published");
const followed = client.followEvents({ ...(cursor && { after: cursor }), type: ["post.published"] });
for await (const event of followed) {
  if (event.event === "post.published" && event.data.postId === post.id) break;
}
const later = await client.createPost({ content: `${text}, later`, platforms: [target], scheduledFor: "2031-01-01T09:00" });
await assert.rejects(client.waitFor(later, { timeout: 0 }), WaitTimeout);
const changed = await client.updatePost(later.id, { isDraft: true });
await assert.rejects(client.waitFor(changed), SocialSyncerError);
await client.deletePost(later.id);
await assert.rejects(client.getPost(later.id), (error) => error instanceof ResponseError && error.code === "not_found");
const wrong = { content: "x", platforms: [target, target], publishNow: true };
const refused = await client.createPost(wrong).catch((error: unknown) => error);
assert(refused instanceof ResponseError && refused.status === 400 && refused.errors[0]?.accountId === accountId);
console.log(post.id, post.platforms[0]?.platformPostUrl);
