"use strict";
// Run Bluesky's reference server (PDS) with a directory of DIDs beside it that holds its own accounts alone.
// Usage: node pds.cjs FOLDER_WITH_NODE_MODULES DATA_FOLDER PORT DIRECTORY_PORT SECRET (at least 32 characters)
const http = require("node:http");
const net = require("node:net");
const path = require("node:path");
const { createRequire } = require("node:module");

const [modules, data, port, directoryPort, secret] = process.argv.slice(2);

// Apps are known by addresses, which here lead to the directory.
const { fetch } = globalThis;
globalThis.fetch = (input, init) => {
  const url = new URL(input.url ?? input);
  if (url.hostname !== "posts.socialsyncer.app") return fetch(input, init);
  return fetch(`http://127.0.0.1:${directoryPort}/apps${url.pathname}`);
};

const { PDS, envToCfg, envToSecrets, readEnv } = createRequire(path.join(modules, "x.js"))("@atproto/pds");

// The server would listen on every interface.
const { listen } = net.Server.prototype;
net.Server.prototype.listen = function onLoopback(first, ...rest) {
  return typeof first === "number" ? listen.call(this, { port: first, host: "127.0.0.1" }, ...rest) : listen.call(this, first, ...rest);
};

const operations = new Map();
const apps = new Map();

function documentOf(did) {
  const last = operations.get(did);
  return {
    "@context": ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/multikey/v1"],
    id: did,
    alsoKnownAs: last.alsoKnownAs,
    verificationMethod: Object.entries(last.verificationMethods).map(([name, key]) => ({
      id: `${did}#${name}`,
      type: "Multikey",
      controller: did,
      publicKeyMultibase: key.slice("did:key:".length),
    })),
    service: Object.entries(last.services).map(([name, { type, endpoint }]) => ({
      id: `#${name}`,
      type,
      serviceEndpoint: endpoint,
    })),
  };
}

async function directory(request, response) {
  const did = decodeURIComponent(request.url.slice(1).split("/")[0]);
  const isApp = did === "apps";
  if (request.method === "POST") {
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    const [known, name] = isApp ? [apps, request.url] : [operations, did];
    known.set(name, JSON.parse(Buffer.concat(pieces).toString()));
  }
  if (isApp) {
    response.writeHead(apps.has(request.url) ? 200 : 404, { "content-type": "application/json" });
    response.end(JSON.stringify(apps.get(request.url) ?? {}));
    return;
  }
  const known = operations.has(did);
  response.writeHead(known ? 200 : 404, { "content-type": "application/json" });
  response.end(JSON.stringify(known ? documentOf(did) : { message: `DID not registered: ${did}` }));
}

async function main() {
  http.createServer(directory).listen(Number(directoryPort));
  const environment = {
    PDS_PORT: port,
    PDS_HOSTNAME: "localhost",
    PDS_DEV_MODE: "true",
    PDS_DATA_DIRECTORY: data,
    PDS_BLOBSTORE_DISK_LOCATION: path.join(data, "blobs"),
    PDS_DID_PLC_URL: `http://127.0.0.1:${directoryPort}`,
    PDS_INVITE_REQUIRED: "false",
    PDS_JWT_SECRET: secret,
    PDS_ADMIN_PASSWORD: secret,
    PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX: "1".repeat(64),
    PDS_RATE_LIMITS_ENABLED: "false",
    LOG_ENABLED: "false",
  };
  Object.assign(process.env, environment);
  const env = readEnv();
  const pds = await PDS.create(envToCfg(env), envToSecrets(env));
  await pds.start();
  process.on("SIGTERM", () => pds.destroy().finally(() => process.exit(0)));
  console.log("ready");
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
