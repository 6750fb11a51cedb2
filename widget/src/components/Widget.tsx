import { useEffect, useRef, useState } from "preact/hooks";
import type { Config } from "../config";
import type { Conversation } from "../conversation";
import { fill } from "../i18n";
import type { State } from "../state";
import { isPale } from "../theme";
import { useAnnouncements, useSaid } from "./Announcer";
import { ChatWindow } from "./ChatWindow";
import { SurroundingsProvider } from "./context";
import { Icon } from "./Icon";

/** Below these the window covers the page: telephones, and desktops at 200 % and more. */
const COVERING = "(max-width: 480px), (max-height: 480px)";

interface Props {
  config: Config;
  conversation: Conversation;
  open: boolean;
  /** Whether it was opened just now, not before the page was loaded. */
  opened: boolean;
  unread: number;
  onToggle(open: boolean): void;
}

/** The launcher, and the window while it is open. */
export function Widget(props: Props) {
  const { config, conversation, open, unread, onToggle } = props;
  const { texts } = config;
  const [state, setState] = useState(conversation.state);
  const [said, say] = useSaid();
  const covering = useMedia(COVERING);
  const prefersDark = useMedia("(prefers-color-scheme: dark)");
  const theme = config.theme === "auto" ? (prefersDark ? "dark" : "light") : config.theme;
  const launcher = useRef<HTMLButtonElement>(null);
  const [pale, setPale] = useState(false);

  useEffect(() => conversation.subscribe(setState), [conversation]);
  useEffect(() => {
    if (launcher.current) setPale(isPale(getComputedStyle(launcher.current).backgroundColor));
  }, [config, theme]);

  const label = open ? texts.close : texts.open;
  return (
    <SurroundingsProvider value={{ config, conversation, say }}>
      <div
        class={`root ${theme} ${config.position} ${pale ? "pale" : ""} ${open ? "open" : ""}`}
        dir={config.direction}
        lang={config.language}
      >
        {open && (
          <ChatWindow
            state={state}
            covering={covering}
            takeFocus={props.opened}
            said={said}
            onClose={() => onToggle(false)}
          />
        )}
        <button
          ref={launcher}
          type="button"
          class="launcher"
          aria-expanded={open}
          aria-haspopup="dialog"
          aria-label={unread ? `${label}, ${fill(texts.unread, { n: unread })}` : label}
          onClick={() => onToggle(!open)}
        >
          <Icon name={open ? "close" : "chat"} />
          {unread > 0 && <span class="unread">{unread}</span>}
        </button>
        <Announcements state={state} />
      </div>
    </SurroundingsProvider>
  );
}

function Announcements({ state }: { state: State }) {
  useAnnouncements(state);
  return null;
}

function useMedia(query: string): boolean {
  const [matches, setMatches] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const media = matchMedia(query);
    const listener = () => setMatches(media.matches);
    media.addEventListener("change", listener);
    return () => media.removeEventListener("change", listener);
  }, [query]);
  return matches;
}
