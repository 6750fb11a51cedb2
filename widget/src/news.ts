// How the widget learns that there may be something new to read: by asking now and then.
//
// A push channel (a WebSocket, say) would be another `NewsSource`: it calls `look` whenever it is told of something.

import { Refused } from "./api";

export interface NewsSource {
  /** Begin to call `look`, which reads what is new and tells whether there was anything. Again: no effect. */
  start(look: () => Promise<boolean>): void;
  stop(): void;
}

/** Milliseconds. 30 reads a minute are allowed (MESSAGES_PER_MINUTE), also with the widget open in several tabs. */
const FIRST = 4_000;
const LONGEST = 30_000;
const HIDDEN = 60_000;
const GROWTH = 1.5;

/** Asks every few seconds, and more and more seldom while nothing comes or nobody looks at the page. */
export class Polling implements NewsSource {
  #timer: ReturnType<typeof setTimeout> | undefined;
  #look: (() => Promise<boolean>) | null = null;
  #wait = FIRST;

  start(look: () => Promise<boolean>): void {
    if (this.#look) return;
    this.#look = look;
    this.#wait = FIRST;
    document.addEventListener("visibilitychange", this.#seen);
    addEventListener("online", this.#seen);
    this.#schedule();
  }

  stop(): void {
    this.#look = null;
    clearTimeout(this.#timer);
    document.removeEventListener("visibilitychange", this.#seen);
    removeEventListener("online", this.#seen);
  }

  readonly #seen = (): void => {
    this.#wait = FIRST;
    if (!document.hidden) this.#schedule(0);
  };

  #schedule(after = document.hidden ? HIDDEN : this.#wait): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#ask(), after);
  }

  async #ask(): Promise<void> {
    const look = this.#look;
    if (!look) return;
    let after: number | undefined;
    try {
      this.#wait = (await look()) ? FIRST : Math.min(this.#wait * GROWTH, LONGEST);
    } catch (error) {
      this.#wait = LONGEST;
      if (error instanceof Refused && error.retryAfter !== null) after = error.retryAfter * 1000;
    }
    if (this.#look === look) this.#schedule(after);
  }
}
