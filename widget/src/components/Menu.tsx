import { useEffect, useRef, useState } from "preact/hooks";
import { useSurroundings } from "./context";
import { Icon, type IconName } from "./Icon";

export interface MenuItem {
  icon: IconName;
  text: string;
  danger?: boolean;
  action(): void;
}

/** A menu button as in the ARIA Authoring Practices: arrow keys, Home, End, Escape. */
export function Menu({ items }: { items: MenuItem[] }) {
  const { texts } = useSurroundings().config;
  const [open, setOpen] = useState(false);
  const menu = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);

  const entries = () => [...(menu.current?.querySelectorAll<HTMLElement>("[role=menuitem]") ?? [])];
  const close = () => {
    setOpen(false);
    button.current?.focus();
  };

  useEffect(() => {
    if (open) entries()[0]?.focus();
  }, [open]);

  const onKeyDown = (event: KeyboardEvent) => {
    const all = entries();
    const at = all.indexOf(event.target as HTMLElement);
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    if (next !== undefined) {
      event.preventDefault();
      all.at(next % all.length)?.focus();
    } else if (event.key === "Escape") {
      event.stopPropagation();
      close();
    } else if (event.key === "Tab") {
      setOpen(false);
    }
  };

  return (
    <div
      class="menu"
      onFocusOut={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget as Node | null)) setOpen(false);
      }}
    >
      <button
        ref={button}
        type="button"
        class="plain"
        aria-label={texts.menu}
        aria-haspopup="menu"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
      >
        <Icon name="more" />
      </button>
      {open && (
        <div class="menu-items" role="menu" aria-label={texts.menu} ref={menu} onKeyDown={onKeyDown}>
          {items.map(({ icon, text, danger, action }) => (
            <button
              key={text}
              type="button"
              role="menuitem"
              tabIndex={-1}
              class={danger ? "danger" : ""}
              onClick={() => {
                close();
                action();
              }}
            >
              <Icon name={icon} />
              {text}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}
