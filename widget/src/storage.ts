// What outlives a page: which conversation this is. Kept per origin of the host page, never in a cookie.

export interface SessionRecord {
  sessionId: string;
  token: string;
  /** Milliseconds since 1970. */
  expiresAt: number;
  /** The customer whom the site vouched for, or null. */
  customer: string | null;
  /** Whether a person is expected to answer: then a page that is loaded looks for the answer at once. */
  waiting: boolean;
  /** Grows with each change, so that other tabs notice. */
  changes: number;
}

/**
 * One record in localStorage, the same for all tabs. Where the browser forbids localStorage the record lives as long as
 * the page.
 */
export class SessionStore {
  #record: SessionRecord | null = null;
  readonly #key: string;

  constructor(key: string) {
    this.#key = key;
    this.#record = this.#stored();
  }

  get current(): SessionRecord | null {
    return this.#record;
  }

  set(record: SessionRecord | null): void {
    this.#record = record;
    try {
      if (record) localStorage.setItem(this.#key, JSON.stringify(record));
      else localStorage.removeItem(this.#key);
    } catch {
      // Forbidden or full: the conversation then ends with the page.
    }
  }

  /** Calls back when another tab has changed the record. Returns how to stop. */
  watch(changed: (before: SessionRecord | null, now: SessionRecord | null) => void): () => void {
    const listener = (event: StorageEvent) => {
      if (event.storageArea !== localStorage || (event.key !== this.#key && event.key !== null)) return;
      const before = this.#record;
      this.#record = this.#stored();
      changed(before, this.#record);
    };
    addEventListener("storage", listener);
    return () => removeEventListener("storage", listener);
  }

  #stored(): SessionRecord | null {
    try {
      const text = localStorage.getItem(this.#key);
      const record = text ? (JSON.parse(text) as SessionRecord) : null;
      return record && typeof record.sessionId === "string" && record.expiresAt > Date.now() ? record : null;
    } catch {
      return null;
    }
  }
}

/** Whether the window was open, for this tab only. */
export class OpenState {
  readonly #key: string;

  constructor(key: string) {
    this.#key = key;
  }

  get open(): boolean {
    try {
      return sessionStorage.getItem(this.#key) === "open";
    } catch {
      return false;
    }
  }

  set open(open: boolean) {
    try {
      if (open) sessionStorage.setItem(this.#key, "open");
      else sessionStorage.removeItem(this.#key);
    } catch {
      // Forbidden: the window is closed on the next page.
    }
  }
}
