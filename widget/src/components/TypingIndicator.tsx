import { useSurroundings } from "./context";

/** Three dots until the first sentence; in words where it takes longer than usual. */
export function TypingIndicator({ recovering }: { recovering: boolean }) {
  const { texts } = useSurroundings().config;
  return (
    <div class="typing">
      <span class="dots" aria-hidden="true">
        <i />
        <i />
        <i />
      </span>
      <span class={recovering ? "fine" : "hidden"}>{recovering ? texts.recovering : texts.typing}</span>
    </div>
  );
}
