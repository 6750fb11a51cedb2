// Where the script begins: it defines the element, and adds one for the script tag that loaded it.

import { SupportAgentElement, TAG } from "./element";

declare global {
  interface Window {
    SupportAgent?: {
      /** The widget with this `data-id`; null if there is none (yet). */
      get(id?: string): SupportAgentElement | null;
    } & Pick<SupportAgentElement, "open" | "close" | "identify" | "on">;
  }
}

/** Only while the script runs for the first time. */
const script = document.currentScript as HTMLScriptElement | null;

if (!customElements.get(TAG)) customElements.define(TAG, SupportAgentElement);

function get(id = "default"): SupportAgentElement | null {
  const all = document.querySelectorAll<SupportAgentElement>(TAG);
  return [...all].find((element) => (element.dataset.id || "default") === id) ?? null;
}

function first(): SupportAgentElement {
  const element = document.querySelector<SupportAgentElement>(TAG);
  if (!element) throw new Error("There is no <support-agent> on this page yet.");
  return element;
}

window.SupportAgent ??= {
  get,
  open: () => first().open(),
  close: () => first().close(),
  identify: (identity) => first().identify(identity),
  on: (name, listener) => first().on(name, listener),
};

function add({ dataset, src }: HTMLScriptElement): void {
  if (get(dataset.id)) return; // the same script twice is one widget
  const element = document.createElement(TAG);
  Object.assign(element.dataset, dataset);
  element.dataset.api ??= new URL(src).origin;
  document.body.append(element);
}

if (script?.src && script.dataset.element !== "none") {
  if (document.body) add(script);
  else document.addEventListener("DOMContentLoaded", () => add(script));
}
