// Line icons on a 24 × 24 grid, drawn for this widget.

const PATHS = {
  chat: "M4 5.5h16a1 1 0 0 1 1 1v10a1 1 0 0 1-1 1h-8.5L7 21.5v-4H4a1 1 0 0 1-1-1v-10a1 1 0 0 1 1-1zM8 10h8M8 13.5h5",
  close: "M6 6l12 12M18 6 6 18",
  down: "M6 9.5l6 6 6-6",
  send: "M12 19.5v-15M5.5 11 12 4.5l6.5 6.5",
  clip: "M20 11.5l-8.2 8.2a5.2 5.2 0 0 1-7.4-7.4l8.6-8.6a3.5 3.5 0 0 1 5 5l-8.6 8.5a1.7 1.7 0 0 1-2.5-2.4l7.7-7.7",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  person: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.5 20.5a7.5 7.5 0 0 1 15 0",
  thumbUp: "M7.5 20.5h-3v-9h3zm0-9 4-8a2.2 2.2 0 0 1 2.2 2.7l-.7 3.3h5.2a2 2 0 0 1 2 2.4l-1.2 6.2a2 2 0 0 1-2 1.6H7.5",
  thumbDown: "M7.5 3.5h-3v9h3zm0 9 4 8a2.2 2.2 0 0 0 2.2-2.7l-.7-3.3h5.2a2 2 0 0 0 2-2.4L19.2 5.1a2 2 0 0 0-2-1.6H7.5",
  document: "M6 3.5h8l4.5 4.5v12.5h-12.5zM14 3.5v4.5h4.5M9 13h6M9 16.5h4",
  fresh: "M12 5v14M5 12h14",
  download: "M12 4v11M7 10.5l5 5 5-5M5 20h14",
  bin: "M4.5 7h15M9.5 7V4.5h5V7M6.5 7l.8 13h9.4l.8-13M10 11v5M14 11v5",
  alert: "M12 8v5M12 16.5h.01M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17z",
  external: "M9 6H5.5v12.5H18V15M13 5h6v6M19 5l-8.5 8.5",
};

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg viewBox="0 0 24 24" aria-hidden="true" class={name === "more" ? "icon bold" : "icon"}>
      <path d={PATHS[name]} />
    </svg>
  );
}
