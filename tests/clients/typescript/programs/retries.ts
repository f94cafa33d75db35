/** Which requests are repeated, with which key, and what an error says. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { inspect } from "node:util";
import { Client, ConnectionFailed, ResponseError, SocialSyncerError, UploadInterrupted } from "socialsyncer-client";

const KEY = "sk_a_key_that_no_text_shows";
const DONE = { id: "post_1", status: "an invented status", invented: true };

interface Reply {
  status?: number;
  body?: unknown;
  headers?: Record<string, string>;
}

/** A client whose fetch gives these replies, and the requests that it got. */
function scripted(...replies: Reply[]) {
  const requests: { url: string; init: RequestInit; key: string | null; at: number }[] = [];
  const client = new Client({
    api: "https://posts.example.com/",
    key: KEY,
    fetch: async (url, init = {}) => {
      const key = new Headers(init.headers).get("Idempotency-Key");
      requests.push({ url: String(url), init, key, at: Date.now() });
      const reply = replies.shift();
      assert(reply, "no request was expected");
      const { status = 200, body = DONE, headers = {} } = reply;
      return new Response(typeof body === "string" ? body : JSON.stringify(body), { status, headers });
    },
  });
  return { client, requests };
}

function refusal(status: number, code: string, headers: Record<string, string> = {}): Reply {
  const problem = { error: "Not now", code, param: "content" };
  return { status, headers: { "X-Request-Id": "req_1", ...headers }, body: { ...problem, type: "api_error", errors: [problem] } };
}

async function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(() => assert.fail("nothing failed"), (error: unknown) => error);
}

const now = { "Retry-After": "0" };
{
  const { client, requests } = scripted(refusal(503, "unavailable", now), refusal(500, "internal_error", now), {});
  const post = await client.createPost({ content: "x" });
  assert.equal(requests.length, 3);
  assert.equal(new Set(requests.map((request) => request.key)).size, 1);
  assert.match(requests[0]?.key ?? "", /^[0-9a-f-]{36}$/);
  assert.deepEqual(post as unknown, DONE, "fields and values of a newer service are passed on");
}
{
  const { client, requests } = scripted({}, {});
  await client.createPost({ content: "x" }, { idempotencyKey: "mine", wait: 5 });
  await client.createPost({ content: "x" });
  assert.equal(requests[0]?.key, "mine");
  assert.equal(new Headers(requests[0]?.init.headers).get("Prefer"), "wait=5");
  assert.notEqual(requests[1]?.key, "mine");
  assert.equal(requests[0]?.url, "https://posts.example.com/v1/posts");
}
{
  const { client, requests } = scripted(refusal(503, "unavailable", now));
  const error = await failure(client.validatePost({ content: "x" }));
  assert(error instanceof ResponseError);
  assert.equal(requests.length, 1, "a POST without a key is sent once");
}
{
  const { client, requests } = scripted(refusal(429, "rate_limited", { "Retry-After": "3600" }));
  const error = await failure(client.getPost("post_1"));
  assert(error instanceof ResponseError && error instanceof SocialSyncerError);
  const { status, type, code, param, retryAfter, requestId, message } = error;
  assert.deepEqual(
    { status, type, code, param, retryAfter, requestId, message },
    { status: 429, type: "api_error", code: "rate_limited", param: "content", retryAfter: 3600, requestId: "req_1", message: "Not now" },
  );
  assert.equal(requests.length, 1);
  assert(!inspect(error, { depth: 9, showHidden: true }).includes(KEY));
}
{
  const { client, requests } = scripted({ headers: { RateLimit: '"requests";r=0;t=60', "RateLimit-Policy": '"requests";q=60;w=60' } }, {});
  await client.getPost("post_1");
  await client.getPost("post_1");
  assert((requests[1]?.at ?? 0) - (requests[0]?.at ?? 0) >= 990, "the pace that the API asks for is kept");
}
{
  const { client, requests } = scripted({ status: 302, headers: { Location: "https://elsewhere.example" }, body: "" });
  const error = await failure(client.getPost("post_1"));
  assert(error instanceof ResponseError && error.status === 302 && error.code === "");
  assert.equal(requests[0]?.init.redirect, "manual");
}
{
  const pages = [{ posts: [{ id: "a" }, { id: "b" }], cursor: "next" }, { posts: [{ id: "c" }], cursor: null }];
  const { client, requests } = scripted(...pages.map((body) => ({ body })));
  const ids: string[] = [];
  for await (const post of client.iteratePosts({ tag: ["one", "two"] })) ids.push(post.id);
  assert.deepEqual(ids, ["a", "b", "c"]);
  assert.deepEqual(requests.map((request) => new URL(request.url).search), ["?tag=one&tag=two", "?tag=one&tag=two&cursor=next"]);
}
{
  const { client, requests } = scripted({});
  await client.getPost("a/b?c");
  assert.equal(requests[0]?.url, "https://posts.example.com/v1/posts/a%2Fb%3Fc");
  for (const id of JSON.parse(process.argv[2] ?? "[\"\"]") as string[]) assert(await failure(client.deletePost(id)) instanceof SocialSyncerError);
}
{
  const { client } = scripted();
  for (const shown of [inspect(client, { depth: 9, showHidden: true }), JSON.stringify(client), String(client)]) {
    assert(!shown.includes(KEY));
  }
  for (const options of [{ api: "posts.example.com", key: KEY }, { api: "https://a.example", key: `${KEY}\nb` }]) {
    assert.throws(() => new Client(options), (error) => !inspect(error).includes(KEY));
  }
  const sent: (string | null)[] = [];
  const read = new Client({
    api: "https://a.example",
    key: `${KEY}\n`, // as a file has it
    fetch: async (_url, init) => {
      sent.push(new Headers(init?.headers).get("Authorization"));
      return Response.json({ id: "post_1" });
    },
  });
  await read.getPost("post_1");
  assert.deepEqual(sent, [`Bearer ${KEY}`]);
}
{
  const server = createServer((request) => request.socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const api = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = new Client({ api, key: KEY, attempts: 2 });
  const broken = await failure(client.createPost({ content: "x" }));
  assert(broken instanceof ConnectionFailed && broken.sent && broken.idempotencyKey);
  assert(!inspect(broken, { depth: 9, showHidden: true }).includes(KEY));
  await new Promise((resolve) => server.close(resolve));
  const absent = await failure(client.createPost({ content: "x" }));
  assert(absent instanceof ConnectionFailed && !absent.sent);
}
{
  const server = createServer(() => undefined);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const api = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const late = await failure(new Client({ api, key: KEY, attempts: 1 }).getPost("post_1", { timeout: 0.1001 }));
  assert(late instanceof ConnectionFailed && late.message === "The API did not answer in time");
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}
{
  const part = { number: 1, size: 40_000_000, received: false };
  const begun = { id: "med_1", partSize: 40_000_000, parts: [{ ...part, uploadUrl: "https://store.example/v1/media/multipart/a/parts/1?X-Amz-Signature=b" }] };
  const ready = { id: "med_1", state: "ready" };
  const { client, requests } = scripted({ body: begun }, { body: begun }, { body: {} }, { body: ready });
  await client.upload(new Blob([new Uint8Array(40_000_000)]), { filename: "a.mp4", contentType: "video/mp4" });
  const stored = requests[2];
  assert(stored?.url.startsWith("https://store.example/"));
  assert.equal(new Headers(stored?.init.headers).get("Authorization"), null, "no other server gets the key");
}
{
  const place = { id: "med_1", uploadUrl: "https://posts.example.com/media/upload/secret", headers: {} };
  const file = new Blob(["x"]);
  const late = scripted({ body: place }, refusal(429, "rate_limited", { "Retry-After": "3600" }));
  const error = await failure(late.client.upload(file));
  assert(error instanceof ResponseError && error.retryAfter === 3600 && error.requestId === "req_1");
  assert.equal(late.requests.length, 2);
  const soon = scripted({ body: place }, refusal(429, "rate_limited", { "Retry-After": "1" }), { body: {} }, { body: { state: "ready" } });
  await soon.client.upload(file);
  const [refused, sent] = soon.requests.slice(1).map((request) => request.at);
  assert((sent ?? 0) - (refused ?? 0) >= 990, "a file is sent again when the API says");
}
{
  const { client, requests } = scripted({ body: { id: "post_1", status: "draft", waitsFor: "post" } }, { body: { id: "post_1", status: "published" } });
  assert.equal((await client.waitFor("post_1")).status, "published", "it is published once the post before it is");
  assert.equal(requests.length, 2);
  const draft = await failure(scripted({ body: { id: "post_1", status: "draft", waitsFor: null } }).client.waitFor("post_1"));
  assert(draft instanceof SocialSyncerError && /is a draft/.test(draft.message));
}
{
  const [campaign, imported] = [{ body: { id: "cmp_1" } }, { body: { updated: 1 } }];
  const { client, requests } = scripted(campaign, imported, campaign, imported, campaign, imported);
  for (const text of ["first", "corrected", "first"]) await client.campaignFromCsv(`externalId,content\na,${text}\n`, { name: "Spring" });
  const keys = (path: string) => new Set(requests.filter((request) => request.url.includes(path)).map((request) => request.key));
  assert.equal(keys("/v1/campaigns").size, 1);
  // The third file has the bytes of the first, and must not be answered with what that one did.
  assert.equal(keys("/v1/imports").size, 3);
}
{
  const begun = { id: "med_1", partSize: 1, parts: [{ number: 1, size: 1, received: true }, { number: 2, size: 1, received: false, uploadUrl: "https://posts.example.com/v1/media/multipart/med_1/parts/2" }] };
  const ready = { body: { id: "med_1", state: "ready" } };
  const file = new Blob(["ab"]);
  const broken = await failure(scripted(refusal(503, "unavailable", { "Retry-After": "3600" })).client.upload(file, { resume: "med_1" }));
  assert(broken instanceof UploadInterrupted && broken.mediaId === "med_1");
  const { client, requests } = scripted({ body: begun }, { body: {} }, ready);
  assert.equal((await client.upload(file, { resume: "med_1" })).state, "ready");
  assert.deepEqual(requests.map((request) => request.init.method), ["GET", "PUT", "POST"]);
  const over = scripted(refusal(404, "not_found"), ready);
  assert.equal((await over.client.upload(file, { resume: "med_1" })).state, "ready", "only the answer was lost");
}
{
  const { client, requests } = scripted(refusal(503, "unavailable", now), { body: {} });
  await client.createPosts({ posts: [{ content: "a" }, { content: "b", externalId: "b-1" }] });
  const [first, again] = requests.map((request) => request.init.body);
  assert.equal(first, again);
  const sent = JSON.parse(String(first)) as { posts: { idempotencyKey?: string }[] };
  assert.deepEqual(sent.posts.map((post) => post.idempotencyKey), [`${requests[0]?.key}/0`, undefined]);
}
{
  const used = { headers: { RateLimit: '"requests";r=0;t=60', "RateLimit-Policy": '"requests";q=1;w=60' } };
  const replies = [used, used];
  const client = new Client({ api: "https://a.example", key: KEY, attempts: 1, fetch: async () => Response.json(DONE, replies.shift()) });
  const began = Date.now();
  await client.getPost("post_1");
  await client.getPost("post_1");
  assert(Date.now() - began < 5000, "a client with one attempt does not wait");
  assert.throws(() => new Client({ api: "http://posts.example.com", key: KEY }), SocialSyncerError);
  for (const options of [{ api: "http://127.0.0.1:1" }, { api: "http://[::1]:1" }, { api: "http://a.example", allowHttp: true }]) new Client({ key: KEY, ...options });
}
{
  const stopped = AbortSignal.abort(new Error("stopped"));
  const error = await failure(scripted().client.getPost("post_1", { signal: stopped }));
  assert(error instanceof Error && error.message === "stopped");
}
console.log("done");
