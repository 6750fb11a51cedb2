// Which files are welcome. The server has the last word: it looks at what a file holds, not at its name.

import type { FileLimits } from "./config";
import { fill, type Texts } from "./i18n";

export const ACCEPTED = [".pdf", ".docx", ".xlsx", ".pptx", ".html", ".htm", ".md", ".markdown", ".csv", ".txt"];

/** Files that may be added to those chosen before, and why others may not. */
export function choose(
  before: File[],
  added: File[],
  limits: FileLimits,
  texts: Texts,
): { files: File[]; refusals: string[] } {
  const files = [...before];
  const refusals: string[] = [];
  for (const file of added) {
    const { name, size } = file;
    if (!ACCEPTED.some((ending) => name.toLowerCase().endsWith(ending))) {
      refusals.push(fill(texts.wrongKind, { name }));
    } else if (size === 0) {
      refusals.push(fill(texts.empty, { name }));
    } else if (size > limits.megabytes * 1_000_000) {
      refusals.push(fill(texts.tooLarge, { name, n: limits.megabytes }));
    } else if (files.length === limits.files) {
      refusals.push(fill(texts.tooMany, { n: limits.files }));
      break;
    } else {
      files.push(file);
    }
  }
  return { files, refusals };
}

export function readableSize(bytes: number, language: string): string {
  const [value, unit] = bytes < 1_000_000 ? [bytes / 1_000, "kilobyte"] : [bytes / 1_000_000, "megabyte"];
  const rounded = Math.max(value, 0.1);
  const options = { style: "unit", unit, maximumFractionDigits: rounded < 10 ? 1 : 0 } as const;
  return new Intl.NumberFormat(language, options).format(rounded);
}
