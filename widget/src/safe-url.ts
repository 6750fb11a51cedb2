/** The address if a customer may follow it: absolute, and of a scheme that runs nothing. Otherwise null. */
export function safeUrl(address: unknown): string | null {
  if (typeof address !== "string") return null;
  try {
    const url = new URL(address);
    return ["https:", "http:", "mailto:", "tel:"].includes(url.protocol) ? url.href : null;
  } catch {
    return null; // relative: it would lead into the host's page
  }
}
