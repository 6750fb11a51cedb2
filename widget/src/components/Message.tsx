import { fill } from "../i18n";
import { Markdown } from "../markdown";
import type { ChatMessage } from "../state";
import { AttachmentList } from "./AttachmentUpload";
import { useSurroundings } from "./context";
import { EscalationNotice, splitNotice } from "./EscalationNotice";
import { Feedback } from "./Feedback";
import { HumanAgentBadge } from "./HumanAgentBadge";
import { CitationChip, SourceList } from "./SourceCitation";

interface Props {
  message: ChatMessage;
  /** How much of its files is sent, 0 to 1. */
  progress: number | null;
  onSource(number: number): void;
}

export function Message({ message, progress, onSource }: Props) {
  switch (message.role) {
    case "user":
      return <OwnMessage message={message} progress={progress} />;
    case "human_agent":
      return <PersonsMessage message={message} />;
    case "assistant":
      // What the service says of itself, such as that a colleague has joined.
      if (!message.replyTo && message.ticketId && !message.escalates) return <p class="remark">{message.text}</p>;
      return <Answer message={message} onSource={onSource} />;
  }
}

/** The page's own first words. They are no message of the conversation. */
export function Greeting({ text }: { text: string }) {
  const { texts } = useSurroundings().config;
  return (
    <div class="message assistant">
      <p class="who">{texts.assistant}</p>
      <div class="bubble">
        <Markdown text={text} newTab={texts.newTab} />
      </div>
    </div>
  );
}

function OwnMessage({ message, progress }: { message: ChatMessage; progress: number | null }) {
  const { texts } = useSurroundings().config;
  const { delivery } = message;
  const percent = Math.round((progress ?? 0) * 100);
  return (
    <div class="message user">
      <p class="hidden">{texts.you}</p>
      <div class="bubble">
        <p class="written">{message.text}</p>
        <AttachmentList files={message.attachments} />
      </div>
      {delivery === "sending" && progress !== null && percent < 100 && (
        <p class="upload fine">
          <progress max={100} value={percent} aria-label={fill(texts.uploading, { n: percent })} />
          {fill(texts.uploading, { n: percent })}
        </p>
      )}
      {delivery === "failed" && <p class="fine failed">{texts.unsent}</p>}
    </div>
  );
}

function PersonsMessage({ message }: { message: ChatMessage }) {
  const { texts } = useSurroundings().config;
  return (
    <div class="message human">
      <p class="who">
        <HumanAgentBadge name={message.author ?? texts.team} />
        <Time at={message.at} />
      </p>
      <div class="bubble">
        <Markdown text={message.text} breaks newTab={texts.newTab} />
      </div>
      <Feedback message={message} />
    </div>
  );
}

function Answer({ message, onSource }: { message: ChatMessage; onSource(number: number): void }) {
  const { texts } = useSurroundings().config;
  const { sources, ticketId, escalates, streaming } = message;
  const { rest, notice } =
    escalates && ticketId ? splitNotice(message.text, ticketId) : { rest: message.text, notice: "" };
  return (
    <div class="message assistant" aria-busy={streaming}>
      <p class="who">
        {texts.assistant}
        <Time at={message.at} />
      </p>
      {rest && (
        <div class="bubble">
          <Markdown
            text={rest}
            newTab={texts.newTab}
            citation={(number) => {
              const source = sources[number - 1];
              return source ? <CitationChip number={number} source={source} onOpen={() => onSource(number)} /> : null;
            }}
          />
          {sources.length > 0 && <SourceList sources={sources} onOpen={onSource} />}
        </div>
      )}
      {escalates && ticketId && <EscalationNotice ticketId={ticketId} text={notice} />}
      {!streaming && rest && <Feedback message={message} />}
    </div>
  );
}

function Time({ at }: { at: number }) {
  const { language } = useSurroundings().config;
  const today = new Date().toDateString() === new Date(at).toDateString();
  const format = new Intl.DateTimeFormat(language, { timeStyle: "short", ...(today ? {} : { dateStyle: "medium" }) });
  return <time dateTime={new Date(at).toISOString()}>{format.format(at)}</time>;
}
