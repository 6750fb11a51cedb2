import { useEffect, useId, useRef, useState } from "preact/hooks";
import type { ChatMessage } from "../state";
import type { Rating } from "../wire";
import { useSurroundings } from "./context";
import { Icon } from "./Icon";

/** Longest comment that the API takes. */
const MAX_COMMENT = 1000;

/** Thumbs; whoever has used one may say more. */
export function Feedback({ message }: { message: ChatMessage }) {
  const { config, conversation, say } = useSurroundings();
  const { texts } = config;
  const [asking, setAsking] = useState(false);
  const [comment, setComment] = useState("");
  const field = useRef<HTMLTextAreaElement>(null);
  const thumbs = useRef<HTMLDivElement>(null);
  const id = useId();

  useEffect(() => {
    if (asking) field.current?.focus();
  }, [asking]);

  const rate = async (rating: Rating) => {
    if (!(await conversation.rate(message.id, rating, message.feedback?.comment ?? ""))) return;
    say(texts.thanks);
    setAsking(true);
  };
  const leave = () => {
    setAsking(false);
    thumbs.current?.querySelector<HTMLElement>('[aria-pressed="true"]')?.focus();
  };
  const send = async (event: Event) => {
    event.preventDefault();
    const { feedback } = message;
    if (!feedback || !comment.trim()) return leave();
    if (!(await conversation.rate(message.id, feedback.rating, comment.trim()))) return;
    say(texts.thanks);
    leave();
  };
  const thumb = (rating: Rating, name: "thumbUp" | "thumbDown", label: string) => (
    <button
      type="button"
      class="plain thumb"
      aria-label={label}
      aria-pressed={message.feedback?.rating === rating}
      onClick={() => void rate(rating)}
    >
      <Icon name={name} />
    </button>
  );

  return (
    <div class="feedback">
      <div class="thumbs" ref={thumbs}>
        {thumb("up", "thumbUp", texts.helpful)}
        {thumb("down", "thumbDown", texts.unhelpful)}
        {message.feedback && <span class="fine">{texts.thanks}</span>}
      </div>
      {asking && (
        <form
          onSubmit={(event) => void send(event)}
          onKeyDown={(event) => {
            if (event.key !== "Escape") return;
            event.stopPropagation();
            leave();
          }}
        >
          <label for={id}>{texts.comment}</label>
          <textarea
            id={id}
            ref={field}
            rows={2}
            maxLength={MAX_COMMENT}
            value={comment}
            onInput={(event) => setComment(event.currentTarget.value)}
          />
          <p class="choice">
            <button type="button" class="button" onClick={leave}>
              {texts.skip}
            </button>
            <button class="button accent">{texts.sendComment}</button>
          </p>
        </form>
      )}
    </div>
  );
}
