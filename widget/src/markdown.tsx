// Markdown as elements. `marked` makes tokens of it; no HTML is ever made or parsed, so markup stays visible text.

import { Lexer, type Token, type Tokens } from "marked";
import type { ComponentChildren } from "preact";
import { safeUrl } from "./safe-url";

interface Props {
  text: string;
  /** Of people, who write plain text: each line is a line. */
  breaks?: boolean;
  /** What to show for `[n]`; null leaves the text as it is. */
  citation?: (number: number) => ComponentChildren | null;
  newTab: string;
}

export function Markdown({ text, breaks = false, citation = () => null, newTab }: Props) {
  const children = (token: { tokens?: Token[] | undefined }) => token.tokens?.map(element);

  const words = (text: string): ComponentChildren =>
    // A number stays on the line of what it stands for.
    text.split(/(\[\d{1,3}\])/).map((part, index, parts) => {
      const number = /^\[(\d+)\]$/.exec(part)?.[1];
      if (number) return citation(Number(number)) ?? part;
      return index + 1 < parts.length ? part.replace(/\s+$/, "\u00a0") : part;
    });

  function element(token: Token): ComponentChildren {
    switch (token.type) {
      case "space":
        return null;
      case "paragraph":
        return <p>{children(token)}</p>;
      case "heading":
        // The page's outline is not the answer's to change.
        return (
          <p>
            <strong>{children(token)}</strong>
          </p>
        );
      case "strong":
        return <strong>{children(token)}</strong>;
      case "em":
        return <em>{children(token)}</em>;
      case "del":
        return <del>{children(token)}</del>;
      case "br":
        return <br />;
      case "hr":
        return <hr />;
      case "codespan":
        return <code>{token.text}</code>;
      case "code":
        return (
          <pre tabIndex={0}>
            <code>{token.text}</code>
          </pre>
        );
      case "blockquote":
        return <blockquote>{children(token)}</blockquote>;
      case "list": {
        const list = token as Tokens.List;
        const items = list.items.map((item) => <li>{children(item)}</li>);
        return list.ordered ? <ol start={Number(list.start) || 1}>{items}</ol> : <ul>{items}</ul>;
      }
      case "table": {
        const table = token as Tokens.Table;
        return (
          <div class="table" tabIndex={0}>
            <table>
              <thead>
                <tr>
                  {table.header.map((cell) => (
                    <th scope="col">{children(cell)}</th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {table.rows.map((row) => (
                  <tr>
                    {row.map((cell) => (
                      <td>{children(cell)}</td>
                    ))}
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        );
      }
      case "link": {
        const href = safeUrl(token.href);
        if (!href) return children(token);
        return <Link href={href} newTab={newTab} children={children(token)} />;
      }
      case "image":
        return token.text; // a picture's address would tell others what the answer says
      case "text":
        return token.tokens ? children(token) : words(token.text);
      case "escape":
        return token.text;
      default:
        return words(token.raw); // HTML, and whatever is not known
    }
  }

  return (
    <div class="markdown" dir="auto">
      {tokens(text, breaks).map(element)}
    </div>
  );
}

export function Link(props: { href: string; newTab: string; children: ComponentChildren }) {
  return (
    <a href={props.href} target="_blank" rel="noopener noreferrer nofollow">
      {props.children}
      <span class="hidden"> {props.newTab}</span>
    </a>
  );
}

/** The words alone, for those who hear them: without marks and without the numbers of sources. */
export function plainText(text: string): string {
  const words = (token: Token): string => {
    const { tokens: inner, items, header, rows } = token as Tokens.Generic;
    if (items) return items.map(words).join("\n");
    if (header) return [header, ...rows].map((row: Token[]) => row.map(words).join(", ")).join("\n");
    if (inner) return inner.map(words).join(token.type === "list_item" ? "\n" : "");
    return token.type === "space" ? "\n" : ((token as Tokens.Text).text ?? token.raw);
  };
  return tokens(text)
    .map(words)
    .join("\n")
    .replace(/\s*\[\d{1,3}\]/g, "")
    .trim();
}

function tokens(text: string, breaks = false): Token[] {
  // `[1]: …` would define a link and vanish.
  return new Lexer({ gfm: true, breaks }).lex(text.replace(/^( {0,3})\[(\d{1,3})\]:/gm, "$1\\[$2]:"));
}
