import { useSurroundings } from "./context";
import { Icon } from "./Icon";
import { Sheet } from "./Sheet";

export function EraseDialog({ onClose }: { onClose(): void }) {
  const { config, conversation } = useSurroundings();
  const { texts } = config;
  return (
    <Sheet title={texts.eraseTitle} icon={<Icon name="bin" />} role="alertdialog" onClose={onClose}>
      <p>{texts.eraseText}</p>
      <p class="choice">
        <button type="button" class="button" onClick={onClose}>
          {texts.cancel}
        </button>
        <button
          type="button"
          class="button danger"
          onClick={() => {
            onClose();
            void conversation.erase();
          }}
        >
          {texts.eraseConfirm}
        </button>
      </p>
    </Sheet>
  );
}
