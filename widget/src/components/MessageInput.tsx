import type { RefObject } from "preact";
import { useLayoutEffect, useState } from "preact/hooks";
import { AttachmentButton, AttachmentList } from "./AttachmentUpload";
import { useSurroundings } from "./context";
import { Icon } from "./Icon";

interface Props {
  field: RefObject<HTMLTextAreaElement | null>;
  files: File[];
  /** Why files were not taken. */
  refusals: string[];
  /** An answer is on its way. One can write meanwhile, and send when it is there. */
  busy: boolean;
  onFiles(files: File[]): void;
  onRemove(index: number): void;
  onSend(text: string): void;
}

export function MessageInput({ field, files, refusals, busy, onFiles, onRemove, onSend }: Props) {
  const { config, conversation } = useSurroundings();
  const { texts } = config;
  const [text, setText] = useState("");
  const ready = text.trim() !== "" && !busy;

  useLayoutEffect(() => {
    const area = field.current;
    if (!area) return;
    area.style.height = "auto";
    area.style.height = `${area.scrollHeight}px`; // its greatest height is in the style sheet
  }, [text]);

  const send = (event: Event) => {
    event.preventDefault();
    if (!ready) return;
    onSend(text.trim());
    setText("");
  };

  return (
    <form class="composer" onSubmit={send}>
      {refusals.length > 0 && (
        <ul class="refusals">
          {refusals.map((refusal) => (
            <li key={refusal}>{refusal}</li>
          ))}
        </ul>
      )}
      <AttachmentList files={files} {...{ onRemove }} />
      {files.length > 0 && !text.trim() && <p class="fine">{texts.aboutFiles}</p>}
      <div class="box">
        <AttachmentButton onFiles={onFiles} />
        <textarea
          ref={field}
          rows={1}
          aria-label={texts.message}
          placeholder={texts.placeholder}
          value={text}
          onInput={(event) => {
            setText(event.currentTarget.value);
            conversation.type();
          }}
          onKeyDown={(event) => {
            // While a Japanese or Chinese word is being composed, Enter ends the word.
            if (event.key === "Enter" && !event.shiftKey && !event.isComposing && event.keyCode !== 229) send(event);
          }}
          onPaste={(event) => {
            const pasted = [...(event.clipboardData?.files ?? [])];
            if (!pasted.length) return;
            event.preventDefault();
            onFiles(pasted);
          }}
        />
        <button class="send" aria-label={texts.send} aria-disabled={!ready}>
          <Icon name="send" />
        </button>
      </div>
    </form>
  );
}
