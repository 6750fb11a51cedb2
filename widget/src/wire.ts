// What goes over the wire, as docs/api.md describes it. Only what the widget reads is named.

export type Role = "user" | "assistant" | "human_agent";
export type Owner = "bot" | "human";
export type Rating = "up" | "down";

/** The evidence behind one citation. `start` and `end` count characters (code points) of `content`. */
export interface Source {
  id: string;
  content: string;
  quote: string;
  start: number;
  end: number;
  metadata: Record<string, string | number | boolean | null | undefined>;
}

export interface WireMessage {
  message_id: string;
  seq: number;
  role: Role;
  message: string;
  author: string | null;
  created_at: string;
  reply_to: string | null;
  attachments: { name: string; size: number; problem: string | null }[];
  sources: Source[];
  requires_escalation: boolean;
  ticket_id: string | null;
  feedback: { rating: Rating; comment: string } | null;
}

export interface NewMessages {
  owner: Owner;
  /** The request that a person still has to answer. */
  ticket_id: string | null;
  messages: WireMessage[];
}

export interface SessionStarted {
  session_id: string;
  token: string;
  expires_at: string;
}

/** Where news are pushed. */
export interface Negotiated {
  url: string;
  protocol: string;
  expires_at: string;
}

/** What is pushed: events of AG-UI, about the message `seq` if there is one. */
export interface Frame {
  seq: number | null;
  events: { type: string; name?: string; value?: unknown }[];
}

export interface TurnResult {
  message_id: string | null;
  reply_to: string;
  seq: number;
  requires_escalation: boolean;
  ticket_id: string | null;
  handed_over: boolean;
}

/** The events of a stream: a subset of AG-UI. Types that are not listed are skipped. */
export type StreamEvent =
  | { type: "RUN_STARTED"; runId: string }
  | { type: "TEXT_MESSAGE_START"; messageId: string }
  | { type: "TEXT_MESSAGE_CONTENT"; messageId: string; delta: string }
  | { type: "TEXT_MESSAGE_END"; messageId: string }
  | { type: "CUSTOM"; name: "sources"; value: Source[] }
  | { type: "CUSTOM"; name: "escalation"; value: { ticket_id: string } }
  | { type: "RUN_FINISHED"; result: TurnResult }
  | { type: "RUN_ERROR"; message: string; code: string };
