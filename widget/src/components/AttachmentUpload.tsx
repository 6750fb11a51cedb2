import { useRef } from "preact/hooks";
import { ACCEPTED, readableSize } from "../files";
import { fill } from "../i18n";
import type { Attachment } from "../state";
import { useSurroundings } from "./context";
import { Icon } from "./Icon";

/** The button that opens the browser's choice of files. */
export function AttachmentButton({ onFiles }: { onFiles(files: File[]): void }) {
  const { texts } = useSurroundings().config;
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <input
        ref={input}
        type="file"
        hidden
        multiple
        accept={ACCEPTED.join()}
        onChange={({ currentTarget }) => {
          onFiles([...(currentTarget.files ?? [])]);
          currentTarget.value = ""; // the same file can be chosen again
        }}
      />
      <button type="button" class="plain" aria-label={texts.attach} onClick={() => input.current?.click()}>
        <Icon name="clip" />
      </button>
    </>
  );
}

interface ListProps {
  files: readonly (Pick<Attachment, "name" | "size"> & { problem?: string | null })[];
  onRemove?(index: number): void;
}

/** Files by name and size, chosen or sent. */
export function AttachmentList({ files, onRemove }: ListProps) {
  const { texts, language } = useSurroundings().config;
  if (!files.length) return null;
  return (
    <ul class="files">
      {files.map(({ name, size, problem }, index) => (
        <li key={index}>
          <Icon name="document" />
          <span class="file-name">{name}</span>
          <span class="file-size">{problem ? texts.unreadable : readableSize(size, language)}</span>
          {onRemove && (
            <button
              type="button"
              class="plain"
              aria-label={fill(texts.remove, { name })}
              onClick={() => onRemove(index)}
            >
              <Icon name="close" />
            </button>
          )}
        </li>
      ))}
    </ul>
  );
}

/** What makes an element take files that are dropped on it. `over` tells whether some are held above it. */
export function dropTarget(onFiles: (files: File[]) => void, over: (isOver: boolean) => void) {
  const holdsFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
  return {
    onDragOver(event: DragEvent) {
      if (!holdsFiles(event)) return;
      event.preventDefault();
      over(true);
    },
    onDragLeave(event: DragEvent) {
      const to = event.relatedTarget as Node | null;
      if (!(event.currentTarget as Node).contains(to)) over(false);
    },
    onDrop(event: DragEvent) {
      if (!holdsFiles(event)) return;
      event.preventDefault();
      over(false);
      onFiles([...(event.dataTransfer?.files ?? [])]);
    },
  };
}
