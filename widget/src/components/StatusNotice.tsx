import { useEffect, useState } from "preact/hooks";
import { fill, type Texts } from "../i18n";
import type { Notice } from "../state";
import { useSurroundings } from "./context";
import { Icon } from "./Icon";

/** What is wrong, and what to do about it. It is read out by the `Announcer`, not here, where a clock may run. */
export function StatusNotice({ notice, unsent }: { notice: Notice; unsent: boolean }) {
  const { config, conversation } = useSurroundings();
  const { texts } = config;
  const until = notice.kind === "limited" ? notice.until : null;
  const [, tick] = useState(0);

  useEffect(() => {
    if (until === null) return;
    const timer = setInterval(() => {
      if (Date.now() >= until) conversation.dismiss();
      else tick(Date.now());
    }, 1000);
    return () => clearInterval(timer);
  }, [until]);

  const retriable = ["unreachable", "failed", "identity"].includes(notice.kind) || (notice.kind === "refused" && unsent);
  return (
    <div class={`notice ${notice.kind}`}>
      {notice.kind !== "erased" && <Icon name="alert" />}
      <p>{noticeText(notice, texts)}</p>
      {retriable && (
        <button type="button" class="button" onClick={() => void conversation.retry()}>
          {texts.retry}
        </button>
      )}
      {notice.kind === "ended" && (
        <button type="button" class="button accent" onClick={() => void conversation.startOver()}>
          {texts.restart}
        </button>
      )}
    </div>
  );
}

export function noticeText(notice: Notice, texts: Texts): string {
  switch (notice.kind) {
    case "limited":
      return fill(texts.limited, { n: Math.max(1, Math.ceil((notice.until - Date.now()) / 1000)) });
    case "refused":
      return fill(texts.refused, { detail: notice.detail });
    default:
      return texts[notice.kind];
  }
}
