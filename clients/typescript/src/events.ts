/** The feed of events, followed without an end. */
import { pause } from "./pause.js";
import type { Answer } from "./types.js";

type Page = Answer<"listEvents">;
type Event = Page["events"][number];

/** The events as they happen. `cursor` names the place after the last one: give it to `followEvents` after a restart. */
export class EventFollower implements AsyncIterable<Event> {
  readonly #read: (after: string | undefined) => Promise<Page>;
  readonly #signal: AbortSignal | undefined;
  cursor: string | undefined;

  constructor(read: (after: string | undefined) => Promise<Page>, signal?: AbortSignal, after?: string) {
    this.#read = read;
    this.#signal = signal;
    this.cursor = after;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Event, never, undefined> {
    for (;;) {
      const asked = Date.now();
      const page = await this.#read(this.cursor);
      yield* page.events;
      this.cursor = page.cursor ?? this.cursor;
      // The API waits for events; the first request of a workspace, and a proxy between, may not.
      if (!page.events.length && Date.now() - asked < 1000) await pause(1, this.#signal);
    }
  }
}
