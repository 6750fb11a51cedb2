// What is known of the conversation, and how it changes. No browser, no network: (state, action) → state.

import type { NewMessages, Owner, Rating, Role, Source, TurnResult, WireMessage } from "./wire";

export interface Attachment {
  name: string;
  size: number;
  /** Why the server could not read it. */
  problem: string | null;
}

export interface ChatMessage {
  id: string;
  /** null until the server has told its place. */
  seq: number | null;
  role: Role;
  text: string;
  author: string | null;
  /** Milliseconds since 1970. */
  at: number;
  replyTo: string | null;
  attachments: Attachment[];
  sources: Source[];
  /** The request to a colleague that this message speaks of. */
  ticketId: string | null;
  /** Whether it says that a colleague was asked. */
  escalates: boolean;
  feedback: { rating: Rating; comment: string } | null;
  /** Of an answer that is still being written. */
  streaming: boolean;
  /** Of a message of the customer's: on its way, or not sent. */
  delivery: "sending" | "failed" | null;
}

/** What the customer should know and can act on. */
export type Notice =
  | { kind: "offline" | "unreachable" | "failed" | "ended" | "identity" | "erased" }
  | { kind: "refused"; detail: string }
  /** `until`: milliseconds since 1970. */
  | { kind: "limited"; until: number };

/** What happens to the message that was sent last. */
export type Phase = "idle" | "sending" | "waiting" | "answering" | "recovering";

export interface State {
  messages: readonly ChatMessage[];
  phase: Phase;
  /** How much of the files is sent, 0 to 1; null without files. */
  progress: number | null;
  owner: Owner;
  /** The request that a person still has to answer. */
  ticketId: string | null;
  /** Who of the company is writing, if somebody is. */
  typing?: string | undefined;
  notice: Notice | null;
  /** The messages to be read out, counted and told to the page; each only once. */
  announced: readonly ChatMessage[];
}

export const EMPTY: State = {
  messages: [],
  phase: "idle",
  progress: null,
  owner: "bot",
  ticketId: null,
  notice: null,
  announced: [],
};

export type Action =
  | { type: "asked"; message: ChatMessage }
  | { type: "phase"; phase: Phase }
  | { type: "progress"; sent: number }
  | { type: "stored"; id: string }
  | { type: "started"; id: string; replyTo: string; at: number }
  | { type: "written"; id: string; delta: string }
  | { type: "cited"; replyTo: string; sources: Source[] }
  | { type: "finished"; result: TurnResult; known: number }
  | { type: "merged"; news: NewMessages; announce: boolean }
  | { type: "added"; message: WireMessage }
  | { type: "failed"; id: string; notice: Notice }
  | { type: "notice"; notice: Notice | null }
  | { type: "typing"; author?: string }
  | { type: "rated"; id: string; rating: Rating; comment: string }
  | { type: "ended" }
  | { type: "cleared"; notice: Notice | null };

export function reduce(state: State, action: Action): State {
  switch (action.type) {
    case "asked": {
      const others = state.messages.filter((message) => message.id !== action.message.id);
      return { ...state, messages: [...others, action.message], phase: "sending", notice: null, progress: null };
    }
    case "phase":
      return { ...state, phase: action.phase };
    case "progress":
      return { ...state, progress: action.sent };
    case "stored":
      return { ...change(state, action.id, { delivery: null }), phase: "waiting", progress: null, notice: null };
    case "started": {
      // An answer that was cut off and is told again begins anew.
      const others = state.messages.filter((message) => message.id !== action.id);
      const answer = blank(action.id, "assistant", action.at);
      return {
        ...state,
        phase: "answering",
        messages: [...others, { ...answer, replyTo: action.replyTo, streaming: true }],
      };
    }
    case "written":
      return change(state, action.id, (message) => ({ text: message.text + action.delta }));
    case "cited":
      return changeWhere(state, (message) => message.replyTo === action.replyTo, { sources: action.sources });
    case "finished":
      return finished(state, action.result, action.known);
    case "merged":
      return merged(state, action.news, action.announce);
    case "added": {
      const message = fromWire(action.message);
      return {
        ...state,
        messages: ordered([...state.messages.filter((other) => other.id !== message.id), message]),
        ticketId: message.escalates ? message.ticketId : state.ticketId,
        announced: [message],
      };
    }
    case "failed": {
      // It keeps its place: what is said later, and answered, comes after it.
      const seq = state.messages.findLast((message) => message.seq)?.seq ?? 0;
      return { ...change(state, action.id, { delivery: "failed", seq }), ...IDLE, notice: action.notice };
    }
    case "notice":
      return { ...state, notice: action.notice };
    case "typing":
      return { ...state, typing: action.author };
    case "rated":
      return change(state, action.id, { feedback: { rating: action.rating, comment: action.comment } });
    case "ended":
      return {
        ...changeWhere(state, (message) => message.delivery === "sending", { delivery: "failed" }),
        ...IDLE,
        owner: "bot",
        ticketId: null,
        notice: { kind: "ended" },
      };
    case "cleared":
      return { ...EMPTY, notice: action.notice };
  }
}

/** The customer's last message, if nobody has answered it and nobody of the company has the conversation. */
export function unanswered(state: State): ChatMessage | null {
  const asked = state.messages.findLast((message) => message.role === "user");
  if (!asked || state.owner === "human") return null;
  return state.messages.some((message) => message.replyTo === asked.id && !message.streaming) ? null : asked;
}

/** Whether somebody of the company has the conversation, or will. */
export function personExpected(state: State): boolean {
  return state.owner === "human" || state.ticketId !== null;
}

export function blank(id: string, role: Role, at: number): ChatMessage {
  return {
    id,
    seq: null,
    role,
    text: "",
    author: null,
    at,
    replyTo: null,
    attachments: [],
    sources: [],
    ticketId: null,
    escalates: false,
    feedback: null,
    streaming: false,
    delivery: null,
  };
}

const IDLE = { phase: "idle", progress: null } as const;

/** The greeting is the host page's own; that of the server is left out. */
const GREETING = "greeting";

function finished(state: State, result: TurnResult, known: number): State {
  const length = result.handed_over ? 1 : 2;
  const complete = result.seq === known + length;
  let next = changeWhere({ ...state, ...IDLE, notice: null }, (message) => message.id === result.reply_to, {
    delivery: null,
    seq: complete ? known + 1 : null,
  });
  if (result.handed_over) return { ...next, owner: "human" };
  next = change(next, result.message_id ?? "", {
    streaming: false,
    seq: complete ? result.seq : null,
    ticketId: result.ticket_id,
    escalates: result.requires_escalation && result.ticket_id !== null,
  });
  const announced = next.messages.filter((message) => message.id === result.message_id);
  return { ...next, ticketId: result.ticket_id ?? next.ticketId, announced };
}

function merged(state: State, news: NewMessages, announce: boolean): State {
  const arrived = news.messages.filter((message) => message.message_id !== GREETING).map(fromWire);
  const ids = new Set(arrived.map((message) => message.id));
  const complete = new Set(state.messages.filter((message) => !message.streaming).map((message) => message.id));
  const kept = state.messages.filter((message) => !ids.has(message.id));
  const heard = arrived.filter((message) => message.role !== "user" && !complete.has(message.id));
  const next: State = {
    ...state,
    messages: ordered([...kept, ...arrived]),
    owner: news.owner,
    ticketId: news.ticket_id,
    typing: heard.length ? undefined : state.typing,
    announced: announce && heard.length ? heard : state.announced,
  };
  const answered = state.phase !== "idle" && unanswered(next) === null;
  return answered ? { ...next, ...IDLE, notice: null } : next;
}

/** By their place; those that have none yet are the newest. */
function ordered(messages: ChatMessage[]): ChatMessage[] {
  return messages.sort((a, b) => (a.seq ?? Infinity) - (b.seq ?? Infinity) || 0);
}

type Change = Partial<ChatMessage> | ((message: ChatMessage) => Partial<ChatMessage>);

function change(state: State, id: string, change: Change): State {
  return changeWhere(state, (message) => message.id === id, change);
}

function changeWhere(state: State, which: (message: ChatMessage) => boolean, change: Change): State {
  return {
    ...state,
    messages: state.messages.map((message) =>
      which(message) ? { ...message, ...(typeof change === "function" ? change(message) : change) } : message,
    ),
  };
}

function fromWire(message: WireMessage): ChatMessage {
  return {
    id: message.message_id,
    seq: message.seq,
    role: message.role,
    text: message.message,
    author: message.author,
    at: Date.parse(message.created_at),
    replyTo: message.reply_to,
    attachments: message.attachments,
    sources: message.sources,
    ticketId: message.ticket_id,
    escalates: message.requires_escalation && message.ticket_id !== null,
    feedback: message.feedback,
    streaming: false,
    delivery: null,
  };
}
