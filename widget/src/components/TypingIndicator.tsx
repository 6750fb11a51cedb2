import { useSurroundings } from "./context";

/**
 * Three dots until the first sentence, in words where it takes longer than usual; or while a person writes, who is named.
 */
export function TypingIndicator({ recovering, author }: { recovering?: boolean; author?: string }) {
  const { texts } = useSurroundings().config;
  return (
    <div class="typing">
      <span class="dots" aria-hidden="true">
        <i />
        <i />
        <i />
      </span>
      <span class={recovering || author ? "fine" : "hidden"}>
        {author ?? (recovering ? texts.recovering : texts.typing)}
      </span>
    </div>
  );
}
