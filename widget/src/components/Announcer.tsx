import { useEffect, useState } from "preact/hooks";
import { plainText } from "../markdown";
import type { State } from "../state";
import { useSurroundings } from "./context";
import { noticeText } from "./StatusNotice";

export interface Said {
  text: string;
}

/**
 * The one live region: each answer once and as a whole, and what happens meanwhile. It is part of the window, as what is
 * outside of a modal dialog is not read out.
 */
export function Announcer({ said }: { said: Said }) {
  return (
    <div class="hidden" role="status" aria-live="polite" aria-atomic="true">
      {said.text}
    </div>
  );
}

/** Says what a listener has to know of a change of the conversation. */
export function useAnnouncements(state: State): void {
  const { config, say } = useSurroundings();
  const { texts } = config;
  const { announced, notice, phase } = state;

  // First, as of a conversation that is put away nothing may stay here, and the notice says why it was.
  useEffect(() => {
    say(announced.map((m) => `${m.author ?? texts.assistant}: ${plainText(m.text)}`).join("\n"));
  }, [announced]);
  useEffect(() => {
    if (phase === "waiting") say(texts.typing);
    if (phase === "recovering") say(texts.recovering);
  }, [phase]);
  useEffect(() => {
    if (notice) say(noticeText(notice, texts));
  }, [notice?.kind]);
}

/** What is said, and how to say something; the same text twice in a row is said twice. */
export function useSaid(): [Said, (text: string) => void] {
  const [said, setSaid] = useState<Said>({ text: "" });
  return [said, (text) => setSaid((before) => ({ text: before.text === text ? `${text}\u00a0` : text }))];
}
