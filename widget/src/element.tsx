// The custom element <support-agent>: the border between the page and the widget.

import { render } from "preact";
import { Api } from "./api";
import { Widget } from "./components/Widget";
import { ATTRIBUTES, readConfig, readPlace } from "./config";
import { Conversation, type Identity } from "./conversation";
import { textsIn, type Texts } from "./i18n";
import type { ChatMessage } from "./state";
import { OpenState, SessionStore } from "./storage";
import css from "./widget.css";

export const TAG = "support-agent";

/** What listeners get. */
export interface Events {
  /** A message was sent, or has come as a whole. */
  message: { id: string; role: "user" | "assistant" | "human_agent"; text: string; author: string | null };
  open: undefined;
  close: undefined;
}

type Listener<Name extends keyof Events> = (detail: Events[Name]) => void;

export class SupportAgentElement extends HTMLElement {
  static readonly observedAttributes = ATTRIBUTES;

  #conversation: Conversation | null = null;
  #texts: Texts | null = null;
  #openState: OpenState | null = null;
  readonly #listeners = new Map<string, Set<(detail: never) => void>>();
  readonly #theme = new CSSStyleSheet();
  #isOpen = false;
  /** Whether it was opened since the page was loaded. */
  #opened = false;
  #unread = 0;
  #focusBefore: HTMLElement | null = null;

  // ---- for the page

  open(): void {
    if (this.#isOpen) return;
    const focused = document.activeElement;
    this.#focusBefore = focused instanceof HTMLElement && focused !== this && focused !== document.body ? focused : null;
    this.#opened = true;
    this.#setOpen(true);
  }

  close(): void {
    if (this.#isOpen) this.#setOpen(false);
  }

  /**
   * Who the customer is: an identity token of the site, or a function that gets one; null if nobody is signed in.
   * A conversation that was begun as somebody else is put away.
   */
  async identify(identity: Identity): Promise<void> {
    await this.#conversation?.identify(identity);
  }

  /** Calls `listener` for each event; returns how to stop. */
  on<Name extends keyof Events>(name: Name, listener: Listener<Name>): () => void {
    const all = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, all.add(listener as (detail: never) => void));
    return () => all.delete(listener as (detail: never) => void);
  }

  // ---- for the browser

  connectedCallback(): void {
    const { api, id } = readPlace(this);
    const key = `${TAG}:${api}:${id}`;
    this.#openState = new OpenState(key);
    this.#conversation = new Conversation(new Api(api), new SessionStore(key), (message) => this.#heard(message));
    if (!this.shadowRoot) {
      const styles = new CSSStyleSheet();
      styles.replaceSync(css);
      this.attachShadow({ mode: "open" }).adoptedStyleSheets = [styles, this.#theme];
    }
    this.#isOpen = this.#openState.open;
    if (this.#isOpen || this.#conversation.personExpected) void this.#conversation.resume();
    void this.#loadTexts();
  }

  disconnectedCallback(): void {
    this.#conversation?.dispose();
    this.#conversation = null;
    if (this.shadowRoot) render(null, this.shadowRoot);
  }

  attributeChangedCallback(name: string): void {
    if (name === "data-lang") void this.#loadTexts();
    else this.#update();
  }

  async #loadTexts(): Promise<void> {
    if (!this.#conversation) return;
    const { api, language } = readPlace(this);
    const texts = await textsIn(language, api);
    if (readPlace(this).language !== language) return; // it was changed meanwhile
    const ready = this.#texts === null;
    this.#texts = texts;
    this.#update();
    if (ready) window.dispatchEvent(new Event("support-agent-ready"));
  }

  #setOpen(open: boolean): void {
    this.#isOpen = open;
    if (this.#openState) this.#openState.open = open;
    if (open) {
      this.#unread = 0;
      void this.#conversation?.resume();
    }
    this.#update();
    if (!open) {
      const launcher = this.shadowRoot?.querySelector<HTMLElement>(".launcher");
      (this.#focusBefore?.isConnected ? this.#focusBefore : launcher)?.focus();
    }
    this.#tell(open ? "open" : "close", undefined);
  }

  #heard({ id, role, text, author }: ChatMessage): void {
    if (!this.#isOpen && role !== "user") {
      this.#unread += 1;
      this.#update();
    }
    this.#tell("message", { id, role, text, author });
  }

  #tell<Name extends keyof Events>(name: Name, detail: Events[Name]): void {
    for (const listener of this.#listeners.get(name) ?? []) listener(detail as never);
  }

  #update(): void {
    const { shadowRoot } = this;
    const conversation = this.#conversation;
    const texts = this.#texts;
    if (!conversation || !shadowRoot || !texts) return;
    const config = readConfig(this, texts);
    this.#theme.replaceSync(config.accent ? `:host{--support-accent:${config.accent}}` : "");
    render(
      <Widget
        config={config}
        conversation={conversation}
        open={this.#isOpen}
        opened={this.#opened}
        unread={this.#unread}
        onToggle={(open) => {
          this.#focusBefore = null;
          if (open) this.#opened = true;
          this.#setOpen(open);
        }}
      />,
      shadowRoot,
    );
  }
}
