// The HTTP API of one conversation. Knows nothing of what is on the screen.

import { createParser } from "eventsource-parser";
import type { NewMessages, Rating, SessionStarted, StreamEvent, TurnResult, WireMessage } from "./wire";

/** Milliseconds without a byte until a stream counts as cut; a turn takes at most 60 s (TURN_TIMEOUT_SECONDS). */
const SILENCE = 75_000;

/** The server answered, and refused. `kind` is the last part of the problem's `type`. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly kind: string,
    detail: string,
    /** Seconds, from Retry-After. */
    readonly retryAfter: number | null,
  ) {
    super(detail);
  }
}

/** The line was cut, or there never was one. */
export class Disconnected extends Error {}

export interface Credentials {
  sessionId: string;
  token: string;
}

export interface OutgoingMessage {
  clientMessageId: string;
  text: string;
  files: File[];
}

export class Api {
  readonly #base: string;

  constructor(base: string) {
    this.#base = base;
  }

  start(identityToken: string | null): Promise<SessionStarted> {
    return this.#json("POST", "/chat/sessions", null, identityToken ? { identity_token: identityToken } : {});
  }

  renew(session: Credentials): Promise<{ token: string; expires_at: string }> {
    return this.post(session, "/token");
  }

  newMessages(session: Credentials, after: number): Promise<NewMessages> {
    return this.#json("GET", path(session, `/messages?after=${after}`), session);
  }

  escalate(session: Credentials): Promise<WireMessage> {
    return this.post(session, "/escalate", {});
  }

  rate(session: Credentials, messageId: string, rating: Rating, comment: string): Promise<WireMessage> {
    const call = `/messages/${encodeURIComponent(messageId)}/feedback`;
    return this.post(session, call, { rating, comment });
  }

  erase(session: Credentials): Promise<unknown> {
    return this.#json("DELETE", path(session, ""), session);
  }

  /**
   * Sends a message and tells the events of its answer. Resolves with the result once the answer is stored.
   *
   * By XMLHttpRequest, as fetch cannot tell how much of a file has been sent. Rejects with `Refused`, `Disconnected`;
   * a turn that failed is refused with the code that RUN_ERROR brought.
   */
  send(
    session: Credentials,
    message: OutgoingMessage,
    on: { event(event: StreamEvent): void; progress(sent: number): void },
    signal: AbortSignal,
  ): Promise<TurnResult> {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      let read = 0;
      let silence: ReturnType<typeof setTimeout>;
      const parser = createParser({
        onEvent({ data }) {
          const event = JSON.parse(data) as StreamEvent;
          if (event.type === "RUN_ERROR") reject(new Refused(0, event.code, event.message, null));
          else if (event.type === "RUN_FINISHED") resolve(event.result);
          else on.event(event);
        },
      });
      const alive = () => {
        clearTimeout(silence);
        silence = setTimeout(() => request.abort(), SILENCE);
      };
      const feed = () => {
        alive();
        if (request.status === 200) parser.feed(request.responseText.slice(read));
        read = request.responseText.length;
      };
      const cut = () => reject(new Disconnected());
      request.onprogress = feed;
      request.onload = () => {
        feed();
        if (request.status !== 200) {
          reject(problem(request.status, request.responseText, request.getResponseHeader("Retry-After")));
        }
        cut(); // has no effect if the answer was finished
      };
      request.onerror = request.onabort = cut;
      request.onloadend = () => clearTimeout(silence);
      request.upload.onprogress = ({ loaded, total }) => {
        alive();
        on.progress(total ? loaded / total : 0);
      };
      signal.addEventListener("abort", () => request.abort());

      request.open("POST", this.#base + path(session, "/messages"));
      request.setRequestHeader("Authorization", `Bearer ${session.token}`);
      request.setRequestHeader("Accept", "text/event-stream");
      let body: FormData | string;
      if (message.files.length) {
        body = new FormData();
        body.append("message", message.text);
        body.append("client_message_id", message.clientMessageId);
        for (const file of message.files) body.append("attachments", file, file.name);
      } else {
        request.setRequestHeader("Content-Type", "application/json");
        body = JSON.stringify({ message: message.text, client_message_id: message.clientMessageId });
      }
      alive();
      request.send(body);
    });
  }

  /** Any call of the conversation that takes JSON, or nothing. */
  post<T>(session: Credentials, call: string, body?: object): Promise<T> {
    return this.#json("POST", path(session, call), session, body);
  }

  async #json<T>(method: string, path: string, session: Credentials | null, body?: object): Promise<T> {
    const headers: Record<string, string> = {};
    if (session) headers.Authorization = `Bearer ${session.token}`;
    if (body) headers["Content-Type"] = "application/json";
    let response: Response;
    let text: string;
    try {
      response = await fetch(this.#base + path, {
        method,
        headers,
        body: body ? JSON.stringify(body) : null,
        credentials: "omit",
        referrerPolicy: "no-referrer",
        cache: "no-store",
      });
      text = await response.text();
    } catch {
      throw new Disconnected();
    }
    if (!response.ok) throw problem(response.status, text, response.headers.get("Retry-After"));
    return (text ? JSON.parse(text) : null) as T;
  }
}

function path(session: Credentials, rest: string): string {
  return `/chat/sessions/${encodeURIComponent(session.sessionId)}${rest}`;
}

function problem(status: number, body: string, retryAfter: string | null): Refused {
  let told: { type?: string; detail?: string } = {};
  try {
    told = JSON.parse(body) as typeof told;
  } catch {
    // A proxy's own page, say. The status is all there is to know.
  }
  const kind = (told.type ?? "").split(":").pop() ?? "";
  return new Refused(status, kind, told.detail ?? "", retryAfter === null ? null : Number(retryAfter) || 1);
}
