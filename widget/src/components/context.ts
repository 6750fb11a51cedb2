import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Config } from "../config";
import type { Conversation } from "../conversation";

/** What every part of the widget needs. */
export interface Surroundings {
  config: Config;
  conversation: Conversation;
  /** Have something read out. */
  say(text: string): void;
}

const Context = createContext<Surroundings | null>(null);

export const SurroundingsProvider = Context.Provider;

export function useSurroundings(): Surroundings {
  const surroundings = useContext(Context);
  if (!surroundings) throw new Error("outside of the widget");
  return surroundings;
}
