// One conversation: its session, sending and recovering, and what other tabs do with it. Knows no element.

import { Disconnected, Refused, type Api, type Credentials, type OutgoingMessage } from "./api";
import { Pushed, type NewsSource } from "./news";
import {
  EMPTY,
  blank,
  personExpected,
  reduce,
  unanswered,
  type Action,
  type ChatMessage,
  type Notice,
  type State,
} from "./state";
import type { SessionRecord, SessionStore } from "./storage";
import type { Negotiated, Rating } from "./wire";

/** What the site says of who the customer is: a token, or how to get a fresh one (each holds once). */
export type Identity = string | (() => string | Promise<string>) | null;

/** Milliseconds before its end that a session's token is renewed. */
const RENEW_BEFORE = 5 * 60_000;
/** Milliseconds that a stored message waits for its answer, until it is sent again: longer than a turn can take. */
const PATIENCE = 80_000;
/** Milliseconds between two tries; grows. */
const RETRY = 1_000;
const LONGEST_RETRY = 8_000;
/** Tries without any connection until the customer is asked to try again. */
const TRIES = 5;

/** Milliseconds: how often it is told that the customer types, and how long it is shown that a person does. */
const TELL_TYPING = 4_000;
const SHOW_TYPING = 7_000;

type Outgoing = OutgoingMessage & { sentAt: number };

export class Conversation {
  #current: State = EMPTY;
  readonly #listeners = new Set<(state: State) => void>();
  #identity: Identity = null;
  #freshToken: string | null = null;
  #opening: Promise<SessionRecord> | null = null;
  /** All messages up to this `seq` are in the state. */
  #known = 0;
  #pending: Outgoing | null = null;
  /** Replaced when the conversation ends: what still runs for it then has no effect. */
  #life = new AbortController();
  #delivering = false;
  /** Ends the present wait for an answer: another tab may bring it, and the next message must not find us waiting. */
  #wake: () => void = () => {};
  readonly #wakeable = (wake: () => void): void => {
    this.#wake = wake;
  };
  readonly #api: Api;
  readonly #storage: SessionStore;
  readonly #news: NewsSource;
  #typedAt = 0;
  #stopsTyping: ReturnType<typeof setTimeout> | undefined;
  readonly #onMessage: (message: ChatMessage) => void;
  readonly #unwatch: () => void;

  constructor(api: Api, storage: SessionStore, onMessage: (message: ChatMessage) => void) {
    this.#api = api;
    this.#storage = storage;
    this.#news = new Pushed(
      () => this.#call((session) => this.#api.post<Negotiated>(session, "/negotiate")),
      (author) => {
        clearTimeout(this.#stopsTyping);
        this.#dispatch({ type: "typing", author });
        this.#stopsTyping = setTimeout(() => this.#dispatch({ type: "typing" }), SHOW_TYPING);
      },
    );
    this.#onMessage = onMessage;
    this.#unwatch = storage.watch((before, now) => void this.#changedElsewhere(before, now));
  }

  get state(): State {
    return this.#current;
  }

  /** Whether there is a conversation to go on with. */
  get exists(): boolean {
    return this.#storage.current !== null;
  }

  get personExpected(): boolean {
    return this.#storage.current?.waiting ?? false;
  }

  subscribe(listener: (state: State) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  dispose(): void {
    this.#end();
    this.#unwatch();
  }

  // ---- what the customer does

  /** Read what was said before, once. */
  async resume(): Promise<void> {
    if (!this.exists || this.#known > 0) return;
    await this.#attempt(async () => {
      await this.#read(false);
      this.#follow();
    });
  }

  async send(text: string, files: File[]): Promise<void> {
    await this.#deliver({ clientMessageId: newId(), text, files, sentAt: Date.now() }, false);
  }

  /** The customer is writing: people of the company see it, while they have the conversation. */
  type(): void {
    if (this.#current.owner !== "human" || Date.now() - this.#typedAt < TELL_TYPING) return;
    this.#typedAt = Date.now();
    this.#call((session) => this.#api.post(session, "/typing")).catch(() => {}); // nobody misses it
  }

  /** Send what failed again, under its own id: the server answers it once. */
  async retry(): Promise<void> {
    if (this.#pending) await this.#deliver(this.#pending, false);
    else await this.resume();
  }

  async askForPerson(): Promise<void> {
    await this.#attempt(async () => {
      const message = await this.#call((session) => this.#api.escalate(session));
      this.#dispatch({ type: "added", message });
      await this.#read(false); // its place, and that of whatever came before it
      this.#tellTabs();
    });
  }

  /** Resolves with whether it was stored. */
  rate(id: string, rating: Rating, comment: string): Promise<boolean> {
    return this.#attempt(async () => {
      await this.#call((session) => this.#api.rate(session, id, rating, comment));
      this.#dispatch({ type: "rated", id, rating, comment });
    });
  }

  /** A new conversation; the old one stays stored on the server until it expires. */
  restart(): void {
    this.#end();
    this.#storage.set(null);
    this.#dispatch({ type: "cleared", notice: null });
  }

  /** A new conversation in place of one that has ended; what could not be said there is said here. */
  async startOver(): Promise<void> {
    const unsaid = this.#pending;
    this.restart();
    if (unsaid) await this.send(unsaid.text, unsaid.files);
  }

  /** Erase it on the server, and here. */
  async erase(): Promise<void> {
    await this.#attempt(async () => {
      if (this.exists) await this.#call((session) => this.#api.erase(session));
      this.#end();
      this.#storage.set(null);
      this.#dispatch({ type: "cleared", notice: { kind: "erased" } });
    });
  }

  /** The customer is now this one: a conversation of somebody else is not shown to them. */
  async identify(identity: Identity): Promise<void> {
    const token = typeof identity === "function" ? await identity() : identity;
    this.#identity = identity;
    this.#freshToken = token;
    const record = this.#storage.current;
    if (record && record.customer !== subjectOf(token)) this.restart();
  }

  dismiss(): void {
    this.#dispatch({ type: "notice", notice: null });
  }

  // ---- a message and its answer

  /**
   * Sends a message until it is answered or refused for good. After a cut line it first reads what the server has, so
   * that nothing is sent, answered or shown twice. `stored`: the server is known to have the message.
   */
  async #deliver(outgoing: Outgoing, stored: boolean): Promise<void> {
    if (this.#delivering) return;
    this.#delivering = true;
    const { signal } = this.#life;
    const id = `m-${outgoing.clientMessageId}`;
    this.#pending = outgoing;
    if (stored) this.#dispatch({ type: "phase", phase: "waiting" });
    else this.#dispatch({ type: "asked", message: asMessage(id, outgoing) });
    let look = stored;
    let failures = 0;
    let wait = RETRY;
    let patience = outgoing.sentAt + PATIENCE;
    try {
      while (!signal.aborted) {
        try {
          if (!look) {
            await this.#stream(outgoing, signal);
            return;
          }
          // Another tab's word may have brought the answer while this one waited.
          if (unanswered(this.state)?.id === id) await this.#read(true);
          failures = 0;
          if (signal.aborted || unanswered(this.state)?.id !== id) return this.#settled();
          // The server does not have it, or began an answer that nobody finishes: the same message again goes on.
          look = this.state.messages.some((message) => message.id === id && message.seq !== null);
          if (look && Date.now() > patience) {
            look = false;
            patience = Date.now() + PATIENCE;
          }
          if (look) await pause((wait = Math.min(wait * 1.5, LONGEST_RETRY)), signal, this.#wakeable);
        } catch (error) {
          if (signal.aborted) return;
          if (error instanceof Disconnected) {
            failures += 1;
            if (navigator.onLine && failures > TRIES) return this.#fail(id, { kind: "unreachable" });
            this.#dispatch({ type: "phase", phase: "recovering" });
            if (!navigator.onLine) this.#dispatch({ type: "notice", notice: { kind: "offline" } });
            await pause(navigator.onLine ? (wait = Math.min(wait * 1.5, LONGEST_RETRY)) : Infinity, signal);
            look = this.exists;
          } else if (error instanceof Refused && error.kind === "turn-in-progress") {
            look = true;
            await pause((error.retryAfter ?? 1) * 1000, signal, this.#wakeable);
          } else if (error instanceof Refused && error.status === 429) {
            const waiting = (error.retryAfter ?? 10) * 1000;
            this.#dispatch({ type: "notice", notice: { kind: "limited", until: Date.now() + waiting } });
            await pause(waiting, signal);
            this.#dispatch({ type: "notice", notice: null });
          } else {
            return this.#fail(id, noticeOf(error));
          }
        }
      }
    } finally {
      if (this.#life.signal === signal) this.#delivering = false;
      this.#listen();
    }
  }

  async #stream(outgoing: Outgoing, signal: AbortSignal): Promise<void> {
    const result = await this.#call((session) =>
      this.#api.send(
        session,
        outgoing,
        {
          progress: (sent) => {
            if (outgoing.files.length && !signal.aborted) this.#dispatch({ type: "progress", sent });
          },
          event: (event) => {
            if (signal.aborted) return;
            const replyTo = `m-${outgoing.clientMessageId}`;
            switch (event.type) {
              case "RUN_STARTED":
                this.#dispatch({ type: "stored", id: event.runId });
                this.#tellTabs();
                return;
              case "TEXT_MESSAGE_START":
                return this.#dispatch({ type: "started", id: event.messageId, replyTo, at: Date.now() });
              case "TEXT_MESSAGE_CONTENT":
                return this.#dispatch({ type: "written", id: event.messageId, delta: event.delta });
              case "CUSTOM":
                if (event.name === "sources") this.#dispatch({ type: "cited", replyTo, sources: event.value });
            }
          },
        },
        signal,
      ),
    );
    if (signal.aborted) return;
    this.#dispatch({ type: "finished", result, known: this.#known });
    this.#settled();
    const complete = this.state.messages.every((message) => message.seq !== null);
    if (complete) this.#known = result.seq;
    this.#tellTabs();
    if (!complete) await this.#attempt(() => this.#read(true)); // somebody else wrote meanwhile
  }

  #settled(): void {
    this.#pending = null;
  }

  #fail(id: string, notice: Notice): void {
    this.#dispatch({ type: "failed", id, notice });
  }

  /** Another tab, or this one before it was loaded anew, waits for an answer: wait along. */
  #follow(): void {
    const asked = unanswered(this.state);
    if (!asked || this.#delivering) return;
    const outgoing = { clientMessageId: asked.id.slice(2), text: asked.text, files: [], sentAt: asked.at };
    if (Date.now() - asked.at < PATIENCE) {
      void this.#deliver(outgoing, true);
    } else {
      this.#pending = outgoing;
      this.#fail(asked.id, { kind: "failed" });
    }
  }

  // ---- what is new

  /** Read what is new. Resolves with whether there was anything. */
  async #read(announce: boolean): Promise<boolean> {
    if (!this.exists) return false;
    const news = await this.#call((session) => this.#api.newMessages(session, this.#known));
    this.#known = Math.max(this.#known, ...news.messages.map((message) => message.seq));
    this.#dispatch({ type: "merged", news, announce });
    this.#wake();
    const record = this.#storage.current;
    const waiting = personExpected(this.#current);
    if (record && record.waiting !== waiting) this.#storage.set({ ...record, waiting });
    return news.messages.length > 0;
  }

  async #changedElsewhere(before: SessionRecord | null, now: SessionRecord | null): Promise<void> {
    if (before?.sessionId !== now?.sessionId) {
      this.#end();
      this.#dispatch({ type: "cleared", notice: null });
      if (now) await this.resume();
    } else if (now && before && now.changes !== before.changes && this.#known > 0) {
      await this.#attempt(async () => {
        await this.#read(true);
        this.#follow();
      });
    }
  }

  #tellTabs(): void {
    const record = this.#storage.current;
    if (record) {
      this.#storage.set({ ...record, changes: record.changes + 1, waiting: personExpected(this.#current) });
    }
  }

  #listen(): void {
    if (this.exists && !this.#delivering && personExpected(this.#current)) this.#news.start(() => this.#read(true));
    else this.#news.stop();
  }

  // ---- the session

  /** Calls the API with a session that exists and a token that holds. */
  async #call<T>(work: (session: Credentials) => Promise<T>): Promise<T> {
    const { signal } = this.#life;
    const session = await this.#session();
    try {
      return await work(session);
    } catch (error) {
      const over = error instanceof Refused && (error.status === 401 || error.kind === "not-found");
      if (over && !signal.aborted) {
        const unsaid = this.#pending;
        this.#end();
        this.#pending = unsaid;
        this.#storage.set(null);
        this.#dispatch({ type: "ended" });
      }
      throw error;
    }
  }

  #session(): Promise<SessionRecord> {
    const record = this.#storage.current;
    const left = record ? record.expiresAt - Date.now() : 0;
    if (record && left > RENEW_BEFORE) return Promise.resolve(record);
    this.#opening ??= (record && left > 0 ? this.#renewed(record) : this.#opened()).finally(() => {
      this.#opening = null;
    });
    return this.#opening;
  }

  async #renewed(record: SessionRecord): Promise<SessionRecord> {
    const { token, expires_at } = await this.#api.renew(record);
    const renewed = { ...record, token, expiresAt: Date.parse(expires_at) };
    this.#storage.set(renewed);
    return renewed;
  }

  async #opened(): Promise<SessionRecord> {
    const token = await this.#identityToken();
    let started;
    try {
      started = await this.#api.start(token);
    } catch (error) {
      const refused = error instanceof Refused && token !== null && [400, 401, 403].includes(error.status);
      throw refused ? new IdentityRefused() : error;
    }
    const record: SessionRecord = {
      sessionId: started.session_id,
      token: started.token,
      expiresAt: Date.parse(started.expires_at),
      customer: subjectOf(token),
      waiting: false,
      changes: 0,
    };
    this.#known = 1; // the greeting
    this.#storage.set(record);
    return record;
  }

  /** A token holds once: one that was used is replaced, if the site has told how. */
  async #identityToken(): Promise<string | null> {
    const token = this.#freshToken;
    this.#freshToken = null;
    if (token !== null || this.#identity === null) return token;
    return typeof this.#identity === "function" ? await this.#identity() : this.#identity;
  }

  #end(): void {
    this.#life.abort();
    this.#life = new AbortController();
    this.#news.stop();
    this.#delivering = false;
    this.#pending = null;
    this.#known = 0;
  }

  /** Does what the customer asked for; what goes wrong is told to them. Resolves with whether it was done. */
  async #attempt(work: () => Promise<unknown>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      const notice = noticeOf(error);
      if (notice.kind !== "ended") this.#dispatch({ type: "notice", notice });
      return false;
    }
  }

  #dispatch(action: Action): void {
    const before = this.#current;
    this.#current = reduce(before, action);
    if (action.type === "stored") {
      const asked = this.#current.messages.find((message) => message.id === action.id);
      if (asked) this.#onMessage(asked);
    }
    if (this.#current.announced !== before.announced) this.#current.announced.forEach(this.#onMessage);
    this.#listen();
    for (const listener of this.#listeners) listener(this.#current);
  }
}

class IdentityRefused extends Error {}

/** What the customer is told of an error. Raises what is none of the API's: a mistake of our own. */
function noticeOf(error: unknown): Notice {
  if (error instanceof IdentityRefused) return { kind: "identity" };
  if (error instanceof Disconnected) return { kind: navigator.onLine ? "unreachable" : "offline" };
  if (!(error instanceof Refused)) throw error;
  if (error.status === 401 || error.kind === "not-found") return { kind: "ended" };
  if (error.status === 429) return { kind: "limited", until: Date.now() + (error.retryAfter ?? 10) * 1000 };
  if (error.status === 503) return { kind: "unreachable" };
  if (error.status >= 500 || error.status === 0) return { kind: "failed" };
  return { kind: "refused", detail: error.message };
}

function asMessage(id: string, outgoing: Outgoing): ChatMessage {
  const attachments = outgoing.files.map(({ name, size }) => ({ name, size, problem: null }));
  return { ...blank(id, "user", outgoing.sentAt), text: outgoing.text, attachments, delivery: "sending" };
}

/** The `sub` of a JWT, unchecked: it only tells one customer from another. */
function subjectOf(token: string | null): string | null {
  if (token === null) return null;
  try {
    const claims = atob((token.split(".")[1] ?? "").replace(/-/g, "+").replace(/_/g, "/"));
    return String((JSON.parse(claims) as { sub?: unknown }).sub ?? token);
  } catch {
    return token;
  }
}

/** 128 random bits; crypto.randomUUID is not there on pages without TLS. */
function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Waits so many milliseconds, or until there is a connection again; forever: only for that. */
function pause(milliseconds: number, signal: AbortSignal, wakeable?: (wake: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener("online", done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = Number.isFinite(milliseconds) ? setTimeout(done, milliseconds) : undefined;
    addEventListener("online", done);
    signal.addEventListener("abort", done);
    wakeable?.(done);
  });
}
