// What the page has set, read from the element's data- attributes. docs/widget.md lists them.

import { directionOf, languageFor, type Texts } from "./i18n";

export interface Config {
  /** Address of the API, without a slash at its end. */
  api: string;
  /** Tells this widget from others of the page's origin. */
  id: string;
  language: string;
  texts: Texts;
  direction: "ltr" | "rtl";
  theme: "auto" | "light" | "dark";
  position: "left" | "right";
  accent: string | null;
  title: string;
  greeting: string;
  suggestions: string[];
  limits: FileLimits;
}

export interface FileLimits {
  files: number;
  megabytes: number;
}

/** Of the API, unless its operator has set others (MAX_ATTACHMENTS, MAX_ATTACHMENT_BYTES). */
const LIMITS: FileLimits = { files: 5, megabytes: 10 };

export const ATTRIBUTES = [
  "data-lang",
  "data-dir",
  "data-theme",
  "data-position",
  "data-accent",
  "data-title",
  "data-greeting",
  "data-suggestions",
  "data-max-files",
  "data-max-file-mb",
];

export type Place = Pick<Config, "api" | "id" | "language">;

/** Where the conversation is, and the language: what must be known before there are texts. */
export function readPlace({ dataset }: HTMLElement): Place {
  return {
    api: (dataset.api || location.origin).replace(/\/+$/, ""),
    id: dataset.id || "default",
    language: languageFor(dataset.lang || document.documentElement.lang || navigator.language),
  };
}

export function readConfig(element: HTMLElement, texts: Texts): Config {
  const { dataset } = element;
  const page = document.documentElement;
  return {
    ...readPlace(element),
    texts,
    direction: oneOf(["ltr", "rtl"], dataset.dir || page.dir) ?? directionOf(dataset.lang || page.lang),
    theme: oneOf(["auto", "light", "dark"], dataset.theme) ?? "auto",
    position: oneOf(["left", "right"], dataset.position) ?? "right",
    accent: dataset.accent && CSS.supports("color", dataset.accent) ? dataset.accent : null,
    title: dataset.title || texts.title,
    greeting: dataset.greeting || texts.greeting,
    suggestions: (dataset.suggestions ?? "")
      .split("|")
      .map((text) => text.trim())
      .filter(Boolean),
    limits: {
      files: Number(dataset.maxFiles) || LIMITS.files,
      megabytes: Number(dataset.maxFileMb) || LIMITS.megabytes,
    },
  };
}

function oneOf<T extends string>(allowed: T[], value: string | undefined): T | undefined {
  return allowed.find((candidate) => candidate === value);
}
