import type { Config } from "./config";
import { plainText } from "./markdown";
import type { ChatMessage } from "./state";

/** The conversation as plain text, with the sources of its answers. */
export function transcript(messages: readonly ChatMessage[], { texts, language, title }: Config): string {
  const time = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });
  const entries = messages.map((message) => {
    const who = message.role === "user" ? texts.you : (message.author ?? nameOf(message, texts));
    const files = message.attachments.map(({ name }) => `[${name}]`);
    const sources = message.sources.map(
      ({ metadata, quote }, index) => `  [${index + 1}] ${metadata.title || metadata.source}: “${plainText(quote)}”`,
    );
    return [`${who} — ${time.format(message.at)}`, message.text, ...files, ...sources].join("\n");
  });
  return [title, ...entries].join("\n\n") + "\n";
}

function nameOf(message: ChatMessage, texts: Config["texts"]): string {
  return message.role === "assistant" ? texts.assistant : texts.team;
}

/** Hands a text to the browser as a file. */
export function download(name: string, text: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/plain;charset=utf-8" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
