// How the widget learns that there may be something new to read: by asking now and then, and by being told.

import { Refused } from "./api";
import type { Frame, Negotiated } from "./wire";

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
  #seldom = false;

  /** While something else tells what is new, asking only finds what that has lost. */
  set seldom(seldom: boolean) {
    this.#seldom = seldom;
    this.#wait = FIRST;
    if (this.#look) this.#schedule();
  }

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

  #schedule(after = document.hidden || this.#seldom ? HIDDEN : this.#wait): void {
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

/** Milliseconds within which a lost connection is tried again: doubles up to `HIDDEN`; chance keeps pages apart. */
const RECONNECT = 1_000;
/**
 * Is told over a WebSocket, and then reads at once. What is told may be lost, or come twice: only what is read counts, by
 * its `seq`, so nothing is shown twice. Until it is connected, and where nothing is pushed, `Polling` asks as ever.
 */
export class Pushed implements NewsSource {
  readonly #polling = new Polling();
  readonly #negotiate: () => Promise<Negotiated>;
  readonly #typing: (author: string) => void;
  #look: (() => Promise<boolean>) | null = null;
  #socket: WebSocket | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #reading: Promise<unknown> = Promise.resolve();
  #wait = RECONNECT;

  /** `typing` is told who of the company is writing. */
  constructor(negotiate: () => Promise<Negotiated>, typing: (author: string) => void) {
    this.#negotiate = negotiate;
    this.#typing = typing;
  }

  start(look: () => Promise<boolean>): void {
    if (this.#look) return;
    this.#look = look;
    this.#polling.start(look);
    void this.#connect();
  }

  stop(): void {
    this.#look = null;
    this.#polling.stop();
    this.#disconnect();
  }

  async #connect(): Promise<void> {
    const look = this.#look;
    this.#disconnect();
    try {
      const where = await this.#negotiate();
      if (this.#look !== look) return; // stopped meanwhile
      const socket = (this.#socket = new WebSocket(where.url, where.protocol));
      socket.onmessage = (message) => {
        const event = (JSON.parse(message.data as string) as Told).data?.events[0];
        if (event?.name === "typing") this.#typing((event.value as { author: string }).author);
        else {
          // News; or that it is connected, which is told first: then look what came while nobody was told.
          this.#wait = RECONNECT;
          this.#read();
        }
      };
      socket.onclose = () => {
        if (this.#socket === socket) this.#reconnect();
      };
      // A new address in half of the time that this one has; not at once, should clocks differ.
      this.#later(Math.max((Date.parse(where.expires_at) - Date.now()) / 2, LONGEST));
    } catch (error) {
      // Some browsers throw what the page's policy forbids.
      if (this.#look === look && (error as Partial<Refused>).kind !== "no-push-channel") this.#reconnect();
    }
  }

  /** One look after the other, so that none overwrites what a later one has read. If it fails, `Polling` goes on. */
  #read(): void {
    this.#reading = this.#reading
      .then(() => this.#look?.())
      .then(
        () => (this.#polling.seldom = !!this.#socket),
        () => (this.#polling.seldom = false),
      );
  }

  #disconnect(): void {
    const socket = this.#socket;
    this.#socket = null;
    this.#polling.seldom = false;
    clearTimeout(this.#timer);
    socket?.close();
  }

  #reconnect(): void {
    this.#disconnect();
    this.#later((this.#wait = Math.min(2 * this.#wait, HIDDEN)) * Math.random());
  }

  #later(milliseconds: number): void {
    this.#timer = setTimeout(() => this.#connect(), milliseconds);
  }
}

/** Of the subprotocol: a message has `data`. */
interface Told {
  data?: Frame;
}
