// The widget's texts, one file for each language. English is part of the bundle; another language is a small file beside
// it, fetched from the API's address before the widget shows, so that nobody loads five languages they do not read.
//
// To add one: copy de.ts, translate it, and name it in LANGUAGES. The compiler tells which texts are missing.

import { en, type Texts } from "./en";

export type { Texts };

const LANGUAGES = ["de", "en", "es", "fr", "ja", "pt"];
const RIGHT_TO_LEFT = ["ar", "fa", "he", "ur"];

/** The language for a BCP 47 tag such as `pt-BR`; English where there are no texts. */
export function languageFor(tag: string): string {
  const language = primary(tag);
  return LANGUAGES.includes(language) ? language : "en";
}

/** The texts of one of our languages. Where they cannot be had, English is better than nothing. */
export async function textsIn(language: string, api: string): Promise<Texts> {
  if (language === "en") return en;
  try {
    const response = await fetch(`${api}/widget/texts/${language}.json`, { credentials: "omit" });
    if (!response.ok) throw new Error(`status ${response.status}`);
    return { ...en, ...((await response.json()) as Partial<Texts>) };
  } catch (error) {
    console.warn(`support-agent: no texts in "${language}", English is shown.`, error);
    return en;
  }
}

export function directionOf(tag: string): "ltr" | "rtl" {
  return RIGHT_TO_LEFT.includes(primary(tag)) ? "rtl" : "ltr";
}

/** Puts values into a text: `fill("{n} new", { n: 2 })` is `2 new`. */
export function fill(text: string, values: Record<string, string | number>): string {
  return text.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ""));
}

function primary(tag: string): string {
  return tag.toLowerCase().split("-")[0] ?? "";
}
