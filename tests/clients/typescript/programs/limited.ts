/** Calls side by side wait for a limit that is used up, and all succeed. */
import { Client } from "socialsyncer-client";

const client = new Client();
await Promise.all(Array.from({ length: Number(process.argv[2]) }, () => client.listPlatforms()));
console.log("done");
