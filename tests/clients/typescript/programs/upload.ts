/** Uploads the picture and the large video of the arguments, and names them in a post. */
import assert from "node:assert/strict";
import { openAsBlob } from "node:fs";
import { Client, ResponseError, UploadFailed } from "socialsyncer-client";
import { uploadFile } from "socialsyncer-client/node";

const client = new Client();
const [picture = "", video = "", accountId = ""] = process.argv.slice(2);
const first = await uploadFile(client, picture);
assert.deepEqual([first.state, first.contentType, first.filename], ["ready", "image/jpeg", "photo.jpg"]);
const second = await client.upload(await openAsBlob(video, { type: "video/mp4" }), { filename: "large.mp4" });
assert.deepEqual([second.state, second.contentType], ["ready", "video/mp4"]);
const page = new File(["<html>"], "page.jpg", { type: "image/jpeg" });
const refused = await client.upload(page).catch((error: unknown) => error);
assert(refused instanceof ResponseError && refused.code === "media_rejected");
const fetched = await client.uploadFromUrl("https://example.com/photo.jpg", { filename: "third.jpg" });
assert.deepEqual([fetched.state, fetched.contentType, fetched.filename], ["ready", "image/jpeg", "third.jpg"]);
const lost = await client.uploadFromUrl("https://no-such-host.invalid/a.jpg").catch((error: unknown) => error);
assert(lost instanceof UploadFailed && lost.media.errorCode === "media_address_forbidden");
const post = await client.createPost({
  content: "With an uploaded picture",
  mediaItems: [{ type: "image", url: first.publicUrl }],
  platforms: [{ platform: "twitter", accountId }],
  isDraft: true,
});
console.log(post.mediaItems[0]?.url === first.publicUrl, first.sha256, second.sha256);
