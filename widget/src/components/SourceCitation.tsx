import { useLayoutEffect, useRef } from "preact/hooks";
import { fill } from "../i18n";
import { Link } from "../markdown";
import { safeUrl } from "../safe-url";
import type { Source } from "../wire";
import { useSurroundings } from "./context";
import { Icon } from "./Icon";
import { Sheet } from "./Sheet";

/** A number in the text that opens the passage behind it. */
export function CitationChip(props: { number: number; source: Source; onOpen(): void }) {
  const { texts } = useSurroundings().config;
  return (
    <button
      type="button"
      class="chip"
      aria-haspopup="dialog"
      aria-label={fill(texts.source, { n: props.number, name: nameOf(props.source) })}
      onClick={props.onOpen}
    >
      <span>{props.number}</span>
    </button>
  );
}

/** All sources of an answer, by name. */
export function SourceList({ sources, onOpen }: { sources: Source[]; onOpen(number: number): void }) {
  const { texts } = useSurroundings().config;
  return (
    <ul class="sources" aria-label={texts.sources}>
      {sources.map((source, index) => (
        <li key={index}>
          <button type="button" aria-haspopup="dialog" onClick={() => onOpen(index + 1)}>
            <b>{index + 1}</b>
            <span>{nameOf(source)}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}

/** The passage that an answer rests on, with the quoted words marked, and where it is from. */
export function SourcePanel(props: { number: number; source: Source; onClose(): void }) {
  const { texts } = useSurroundings().config;
  const { source } = props;
  const { title, section, page, url } = source.metadata;
  const passage = useRef<HTMLQuoteElement>(null);
  const quote = useRef<HTMLElement>(null);
  const href = safeUrl(url);
  // The service counts characters as Unicode does; JavaScript's strings count UTF-16 units.
  const characters = [...source.content];
  const part = (start: number, end?: number) => characters.slice(start, end).join("");
  const facts: [string, string][] = [[texts.document, String(source.metadata.source ?? "")]];
  if (section && section !== title) facts.push([texts.section, String(section)]);
  if (page) facts.push([texts.page, String(page)]);
  useLayoutEffect(() => {
    if (passage.current && quote.current) passage.current.scrollTop = quote.current.offsetTop - 40;
    quote.current?.scrollIntoView({ block: "nearest" });
  }, []);
  return (
    <Sheet title={nameOf(source)} icon={<b class="number">{props.number}</b>} onClose={props.onClose}>
      <dl class="facts">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <figure>
        <figcaption>{texts.passage}</figcaption>
        <blockquote class="passage" tabIndex={0} ref={passage}>
          {withoutMarks(part(0, source.start))}
          <mark ref={quote}>{withoutMarks(part(source.start, source.end))}</mark>
          {withoutMarks(part(source.end))}
        </blockquote>
      </figure>
      {href && (
        <p class="open-document">
          <Link href={href} newTab={texts.newTab}>
            {texts.openDocument} <Icon name="external" />
          </Link>
        </p>
      )}
    </Sheet>
  );
}

/** The passage's words without Markdown's signs, which only its authors know. */
function withoutMarks(markdown: string): string {
  return markdown
    .replace(/^#{1,6} +/gm, "")
    .replace(/\*\*|__|`/g, "")
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/^ *\|[ :|-]+\| *\n/gm, "")
    .replace(/^ *\| *| *\| *$/gm, "")
    .replace(/ *\| */g, " · ")
    .replace(/\n{3,}/g, "\n\n");
}

function nameOf({ metadata }: Source): string {
  return String(metadata.title || metadata.source || "");
}
