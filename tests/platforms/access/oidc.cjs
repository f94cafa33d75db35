"use strict";
// Run oidc-provider, a strict authorization server, at X's paths. Usage: node oidc.cjs FOLDER_WITH_NODE_MODULES PORT APP
const path = require("node:path");
const { pathToFileURL } = require("node:url");

const [folder, port, app] = process.argv.slice(2);

async function main() {
  const entry = path.join(folder, "node_modules", "oidc-provider", "lib", "index.js");
  const { Provider } = await import(pathToFileURL(entry));
  const issuer = `http://127.0.0.1:${port}`;
  const provider = new Provider(issuer, {
    clients: [JSON.parse(app)],
    scopes: ["tweet.read", "tweet.write", "users.read", "media.write", "offline.access", "tweet.moderate.write"],
    routes: { authorization: "/i/oauth2/authorize", token: "/2/oauth2/token", revocation: "/2/oauth2/revoke" },
    features: { devInteractions: { enabled: true }, revocation: { enabled: true } },
    pkce: { required: () => true },
    rotateRefreshToken: true,
    issueRefreshToken: async () => true,
    findAccount: async (_, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
    ttl: { AccessToken: 7200, AuthorizationCode: 30, RefreshToken: 86400, Grant: 86400, Interaction: 600, Session: 600 },
  });
  provider.listen(Number(port), "127.0.0.1", () => console.log("ready"));
  process.on("SIGTERM", () => process.exit(0));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
