/** Verifies the request in the first argument, or says why not. */
import { verifyWebhook, WebhookVerificationError } from "socialsyncer-client";

const { secret, headers, body, tolerance } = JSON.parse(process.argv[2] ?? "") as {
  secret: string[];
  headers: Record<string, string>;
  body: string;
  tolerance?: number;
};
for (const form of [headers, new Headers(headers)]) {
  try {
    const options = tolerance === undefined ? {} : { tolerance };
    const event = await verifyWebhook(new TextEncoder().encode(body), form, secret, options);
    console.log(event.event, JSON.stringify(event.data));
  } catch (error) {
    if (!(error instanceof WebhookVerificationError)) throw error;
    console.log("refused:", error.message);
  }
}
