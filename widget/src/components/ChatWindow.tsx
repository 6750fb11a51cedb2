import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { choose } from "../files";
import type { State } from "../state";
import { download, transcript } from "../transcript";
import type { Source } from "../wire";
import { Announcer, type Said } from "./Announcer";
import { dropTarget } from "./AttachmentUpload";
import { useSurroundings } from "./context";
import { EraseDialog } from "./EraseDialog";
import { Icon } from "./Icon";
import { Menu, type MenuItem } from "./Menu";
import { Greeting, Message } from "./Message";
import { MessageInput } from "./MessageInput";
import { SourcePanel } from "./SourceCitation";
import { StatusNotice } from "./StatusNotice";
import { TypingIndicator } from "./TypingIndicator";

interface Props {
  state: State;
  /** Whether it covers the page, as on a telephone. */
  covering: boolean;
  /** Whether the customer opened it just now, and wants to write. */
  takeFocus: boolean;
  said: Said;
  onClose(): void;
}

type Overlay = { source: Source; number: number } | "erase" | null;

export function ChatWindow({ state, covering, takeFocus, said, onClose }: Props) {
  const { config, conversation, say } = useSurroundings();
  const { texts } = config;
  const { messages, phase, notice } = state;
  const [overlay, setOverlay] = useState<Overlay>(null);
  const opener = useRef<Element | null>(null);
  const [files, setFiles] = useState<File[]>([]);
  const [refusals, setRefusals] = useState<string[]>([]);
  const [dropping, setDropping] = useState(false);
  const dialog = useRef<HTMLDivElement>(null);
  const field = useRef<HTMLTextAreaElement>(null);
  const log = useScrolledToEnd(messages.length, messages.at(-1)?.text.length, phase, notice?.kind, state.typing);

  useEffect(() => {
    if (!takeFocus) return;
    // On a telephone, focus in the field would open the keyboard over what there is to read.
    if (matchMedia("(pointer: coarse)").matches) dialog.current?.focus();
    else field.current?.focus();
  }, []);

  const show = (next: Overlay) => {
    opener.current = (dialog.current?.getRootNode() as ShadowRoot).activeElement;
    setOverlay(next);
  };
  useEffect(() => {
    if (!overlay && opener.current?.isConnected) (opener.current as HTMLElement).focus();
  }, [overlay]);

  const add = (added: File[]) => {
    const chosen = choose(files, added, config.limits, texts);
    setFiles(chosen.files);
    setRefusals(chosen.refusals);
    if (chosen.refusals.length) say(chosen.refusals.join(" "));
    field.current?.focus();
  };
  const send = (text: string) => {
    void conversation.send(text, files);
    setFiles([]);
    setRefusals([]);
    field.current?.focus();
  };
  const save = () => download("conversation.txt", transcript(messages, config));

  const items: MenuItem[] = [
    { icon: "person", text: texts.person, action: () => void conversation.askForPerson() },
    { icon: "fresh", text: texts.restart, action: () => conversation.restart() },
    ...(messages.length
      ? [
          { icon: "download", text: texts.download, action: save } as const,
          { icon: "bin", text: texts.erase, danger: true, action: () => show("erase") } as const,
        ]
      : []),
  ];

  return (
    <div
      ref={dialog}
      class="window"
      role="dialog"
      aria-modal={covering || undefined}
      aria-labelledby="title"
      tabIndex={-1}
      onKeyDown={(event) => {
        if (event.key === "Escape") onClose();
        else if (event.key === "Tab" && covering) keepFocus(event);
      }}
      {...dropTarget(add, setDropping)}
    >
      <div class="inside" inert={overlay !== null}>
        <div class="head">
          <span class="mark" aria-hidden="true">
            <Icon name="chat" />
          </span>
          <div class="heading">
            <h2 id="title">{config.title}</h2>
            <p>{statusLine(state, texts)}</p>
          </div>
          <Menu items={items} />
          <button type="button" class="plain" aria-label={texts.close} onClick={onClose}>
            <Icon name={covering ? "down" : "close"} />
          </button>
        </div>
        <div class="log" ref={log} role="log" aria-live="off" aria-label={texts.conversation} tabIndex={0}>
          <Greeting text={config.greeting} />
          {messages.map((message) => (
            <Message
              key={message.id}
              message={message}
              progress={state.progress}
              onSource={(number) => {
                const source = message.sources[number - 1];
                if (source) show({ source, number });
              }}
            />
          ))}
          {!messages.length && config.suggestions.length > 0 && (
            <ul class="suggestions" aria-label={texts.suggestions}>
              {config.suggestions.map((text) => (
                <li key={text}>
                  <button type="button" onClick={() => send(text)}>
                    {text}
                  </button>
                </li>
              ))}
            </ul>
          )}
          {(phase === "waiting" || phase === "recovering" || (phase === "sending" && (state.progress ?? 1) === 1)) && (
            <TypingIndicator recovering={phase === "recovering"} />
          )}
          {state.typing && <TypingIndicator author={state.typing} />}
          {notice && <StatusNotice notice={notice} unsent={messages.some(({ delivery }) => delivery === "failed")} />}
        </div>
        {notice?.kind !== "ended" && (
          <MessageInput
            field={field}
            files={files}
            refusals={refusals}
            busy={phase !== "idle"}
            onFiles={add}
            onRemove={(index) => {
              setFiles(files.filter((_, other) => other !== index));
              field.current?.focus();
            }}
            onSend={send}
          />
        )}
      </div>
      <Announcer said={said} />
      {dropping && <p class="drop">{texts.drop}</p>}
      {overlay === "erase" && <EraseDialog onClose={() => setOverlay(null)} />}
      {overlay && overlay !== "erase" && <SourcePanel {...overlay} onClose={() => setOverlay(null)} />}
    </div>
  );
}

function statusLine({ owner, ticketId, messages }: State, texts: ReturnType<typeof useSurroundings>["config"]["texts"]) {
  if (owner === "human") return messages.findLast(({ author }) => author)?.author ?? texts.team;
  return ticketId ? texts.waiting : texts.assistant;
}

/** Follows what is being written, unless the reader has scrolled up. */
function useScrolledToEnd(...changes: unknown[]) {
  const log = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  useEffect(() => {
    const element = log.current;
    const onScroll = () => {
      if (element) atEnd.current = element.scrollHeight - element.scrollTop - element.clientHeight < 60;
    };
    element?.addEventListener("scroll", onScroll, { passive: true });
    return () => element?.removeEventListener("scroll", onScroll);
  }, []);
  useLayoutEffect(() => {
    if (log.current && atEnd.current) log.current.scrollTop = log.current.scrollHeight;
  }, changes);
  return log;
}

/** The window covers the page, so Tab stays in it. */
function keepFocus(event: KeyboardEvent): void {
  const dialog = event.currentTarget as HTMLElement;
  const all = [...dialog.querySelectorAll<HTMLElement>("button, textarea, a[href], [tabindex='0']")].filter(
    (element) => !element.closest("[inert]") && element.tabIndex >= 0 && element.getClientRects().length > 0,
  );
  const focused = (dialog.getRootNode() as ShadowRoot).activeElement;
  const edge = event.shiftKey ? all[0] : all.at(-1);
  if (focused !== edge && focused !== dialog) return;
  event.preventDefault();
  (event.shiftKey ? all.at(-1) : all[0])?.focus();
}
