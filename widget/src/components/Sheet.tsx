import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { useSurroundings } from "./context";
import { Icon } from "./Icon";

interface Props {
  title: string;
  icon?: ComponentChildren;
  role?: "dialog" | "alertdialog";
  onClose(): void;
  children: ComponentChildren;
}

/** A dialog over the conversation. Takes the focus; whoever opened it takes it back. */
export function Sheet({ title, icon, role = "dialog", onClose, children }: Props) {
  const { texts } = useSurroundings().config;
  const close = useRef<HTMLButtonElement>(null);
  const id = useId();

  useEffect(() => close.current?.focus(), []);

  return (
    <div class="veil" onClick={(event) => event.target === event.currentTarget && onClose()}>
      <div
        class="sheet"
        role={role}
        aria-labelledby={id}
        onKeyDown={(event) => {
          if (event.key !== "Escape") return;
          event.stopPropagation();
          onClose();
        }}
      >
        <div class="sheet-head">
          {icon}
          <h2 id={id}>{title}</h2>
          <button ref={close} type="button" class="plain" aria-label={texts.closePanel} onClick={onClose}>
            <Icon name="close" />
          </button>
        </div>
        <div class="sheet-body">{children}</div>
      </div>
    </div>
  );
}
