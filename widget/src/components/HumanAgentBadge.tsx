import { useSurroundings } from "./context";

/** Who of the company is speaking. */
export function HumanAgentBadge({ name }: { name: string }) {
  const { texts } = useSurroundings().config;
  const initials = name
    .split(/\s+/)
    .map((part) => [...part][0] ?? "")
    .slice(0, 2)
    .join("");
  return (
    <span class="person">
      <span class="avatar" aria-hidden="true">
        {initials.toUpperCase()}
      </span>
      <strong>{name}</strong> <span class="team">{texts.team}</span>
    </span>
  );
}
