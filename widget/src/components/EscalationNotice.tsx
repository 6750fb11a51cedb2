import { Markdown } from "../markdown";
import { useSurroundings } from "./context";
import { Icon } from "./Icon";

/** A colleague was asked: what the service says of it, with its reference and the time to be expected. */
export function EscalationNotice({ ticketId, text }: { ticketId: string; text: string }) {
  const { texts } = useSurroundings().config;
  return (
    <div class="escalation">
      <p class="escalation-title">
        <Icon name="person" />
        <strong>{texts.escalated}</strong>
      </p>
      <Markdown text={text || `${texts.reference}: ${ticketId}`} newTab={texts.newTab} />
      <p class="fine">{texts.escalatedHint}</p>
    </div>
  );
}

/**
 * The words of a message that are about its ticket, and the rest. The service says them in a paragraph of their own,
 * which names the ticket, whatever the language.
 */
export function splitNotice(text: string, ticketId: string): { rest: string; notice: string } {
  const paragraphs = text.split(/\n{2,}/);
  const about = (paragraph: string) => paragraph.includes(ticketId);
  return {
    rest: paragraphs.filter((paragraph) => !about(paragraph)).join("\n\n"),
    notice: paragraphs.filter(about).join("\n\n"),
  };
}
