// A plain chat page over the public HTTP API. All text is set as text, never as HTML.

const POLL_MS = 5000;
const KEY = "support-agent";
const NAMES = { user: "You", assistant: "Assistant", human_agent: "Support team" };

const $ = (id) => document.getElementById(id);
const list = $("messages");
const notice = $("notice");

let session = null; // {id, token}
let seen = 0; // seq of the newest message on the page
let shown = new Map(); // message id → its element
let unsent = null; // {id, text} of a message that failed, so that it is sent again under the same id
let timer = 0;

class ApiError extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

async function call(path, options = {}) {
  const headers = { ...options.headers };
  if (session) headers.Authorization = `Bearer ${session.token}`;
  if (typeof options.body === "string") headers["Content-Type"] = "application/json";
  const response = await fetch(path, { ...options, headers });
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  throw new ApiError(response.status, problem.detail || `The server answered ${response.status}.`);
}

const own = (path = "") => `/chat/sessions/${session.id}${path}`;

// ---- one conversation

async function open() {
  try {
    session = JSON.parse(sessionStorage.getItem(KEY));
    if (session) return await resume();
  } catch (error) {
    if (![401, 403, 404].includes(error.status)) throw error;
  }
  return begin();
}

async function resume() {
  const history = await (await call(own("/history"))).json();
  history.messages.forEach(show);
  if (history.owner === "human" || history.messages.some((message) => message.ticket_id)) poll();
}

async function begin() {
  session = null;
  const started = await (await call("/chat/sessions", { method: "POST" })).json();
  session = { id: started.session_id, token: started.token };
  sessionStorage.setItem(KEY, JSON.stringify(session));
  await fetchNew();
}

async function fetchNew() {
  const news = await (await call(own(`/messages?after=${seen}`))).json();
  news.messages.forEach(show);
  return news;
}

/** Look for replies of a person from now on. */
function poll() {
  clearInterval(timer);
  timer = setInterval(() => {
    if (!document.hidden) fetchNew().catch(() => {}); // the next round tries again
  }, POLL_MS);
}

// ---- sending

async function send(text, files) {
  const message = unsent?.text === text ? unsent : { id: newId(), text };
  unsent = message;
  const body = new FormData();
  body.append("message", text);
  body.append("client_message_id", message.id);
  for (const file of files) body.append("attachments", file);
  const response = await call(own("/messages"), {
    method: "POST",
    body,
    headers: { Accept: "text/event-stream" },
  });
  const ended = await read(response, text, files);
  if (!ended) await fetchNew(); // the line was cut: the answer is stored all the same
  unsent = null;
}

/** Show a stream of AG-UI events. Returns whether it came to its end; throws what RUN_ERROR says. */
async function read(response, text, files) {
  let answer = null;
  for await (const event of events(response.body)) {
    switch (event.type) {
      case "RUN_STARTED":
        show({ message_id: event.runId, role: "user", message: text, attachments: [...files] });
        break;
      case "TEXT_MESSAGE_START":
        answer = show({ message_id: event.messageId, role: "assistant", message: "" });
        break;
      case "TEXT_MESSAGE_CONTENT":
        answer.querySelector(".text").append(event.delta);
        break;
      case "CUSTOM":
        if (event.name === "sources") addSources(answer, event.value);
        if (event.name === "escalation") poll();
        break;
      case "RUN_FINISHED":
        seen = Math.max(seen, event.result.seq);
        if (event.result.handed_over) {
          say("Your message was passed on. A person will answer here.");
          poll();
        }
        if (answer) addFeedback(answer, event.result.message_id, null);
        return true;
      case "RUN_ERROR":
        throw new ApiError(0, event.message);
    }
    list.lastElementChild?.scrollIntoView({ block: "end" });
  }
  return false;
}

async function* events(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop();
      for (const block of blocks) {
        if (block.startsWith("data: ")) yield JSON.parse(block.slice("data: ".length));
      }
    }
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // fetch's way to say that the line was cut
  }
}

function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// ---- showing

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function show(message) {
  seen = Math.max(seen, message.seq || 0);
  const known = shown.get(message.message_id);
  if (known) return known;
  const item = element("li", { className: message.role });
  item.append(
    element("p", { className: "who", textContent: message.author || NAMES[message.role] }),
    element("p", { className: "text", textContent: message.message }),
  );
  if (message.attachments?.length) {
    item.append(element("p", { textContent: `Files: ${message.attachments.map((file) => file.name).join(", ")}` }));
  }
  list.append(item);
  shown.set(message.message_id, item);
  if (message.sources?.length) addSources(item, message.sources);
  if (message.role === "assistant" && message.reply_to) {
    addFeedback(item, message.message_id, message.feedback?.rating);
  }
  item.scrollIntoView({ block: "end" });
  return item;
}

function addSources(item, sources) {
  const prefix = `source-${shown.size}-`;
  const entries = sources.map((source, index) => {
    const { title, section, source: name, url } = source.metadata;
    const label = [title || name, section].filter(Boolean).join(" › ");
    const cite = element("cite", {}, isWeb(url) ? element("a", { href: url, rel: "noopener", textContent: label }) : label);
    return element("li", { id: prefix + (index + 1) }, cite, element("blockquote", {}, ...bold(source.quote)));
  });
  item.append(
    element("details", {}, element("summary", { textContent: `Sources (${sources.length})` }), element("ol", {}, ...entries)),
  );
  linkCitations(item.querySelector(".text"), prefix, sources.length);
}

/** Turn each [n] of an answer into a link to its source, and **words** into bold ones. */
function linkCitations(text, prefix, count) {
  text.replaceChildren(...bold(text.textContent, (part) => {
    const number = Number(/^\[(\d+)\]$/.exec(part)?.[1]);
    if (!(number >= 1 && number <= count)) return part;
    const link = element("a", { href: `#${prefix}${number}`, textContent: part });
    link.setAttribute("aria-label", `Source ${number}`);
    link.addEventListener("click", () => {
      document.getElementById(prefix + number).closest("details").open = true;
    });
    return link;
  }));
}

function bold(text, other = (part) => part) {
  return text.split(/(\*\*[^*]+\*\*|\[\d+\])/).map((part) =>
    part.startsWith("**") && part.length > 4 ? element("strong", { textContent: part.slice(2, -2) }) : other(part),
  );
}

function isWeb(url) {
  return typeof url === "string" && URL.canParse(url) && ["http:", "https:"].includes(new URL(url).protocol);
}

function addFeedback(item, messageId, rating) {
  const buttons = [["up", "Helpful"], ["down", "Not helpful"]].map(([value, label]) => {
    const button = element("button", { type: "button", textContent: label });
    button.setAttribute("aria-pressed", String(value === rating));
    button.addEventListener("click", () => attempt(async () => {
      await call(own(`/messages/${encodeURIComponent(messageId)}/feedback`), {
        method: "POST",
        body: JSON.stringify({ rating: value }),
      });
      buttons.forEach((other) => other.setAttribute("aria-pressed", String(other === button)));
      say("Thank you for your feedback.");
    }));
    return button;
  });
  item.append(element("p", {}, ...buttons));
}

function say(text, isError = false) {
  notice.textContent = text;
  notice.classList.toggle("error", isError);
}

async function attempt(work) {
  say("");
  try {
    await opened;
    await work();
  } catch (error) {
    say(error.message, true);
  }
}

// ---- what the page's controls do

$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("text").value.trim();
  if (!text) return;
  attempt(async () => {
    $("send").disabled = true;
    say("Looking for an answer…");
    try {
      await send(text, $("files").files);
      if (notice.textContent === "Looking for an answer…") say("");
      $("form").reset();
    } finally {
      $("send").disabled = false;
      $("text").focus();
    }
  });
});

$("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    $("form").requestSubmit();
  }
});

$("human").addEventListener("click", () => attempt(async () => {
  show(await (await call(own("/escalate"), { method: "POST" })).json());
  poll();
}));

$("erase").addEventListener("click", () => attempt(async () => {
  await call(own(), { method: "DELETE" });
  clearInterval(timer);
  sessionStorage.removeItem(KEY);
  list.replaceChildren();
  shown = new Map();
  seen = 0;
  await begin();
  say("The conversation was deleted. This is a new one.");
}));

const opened = open();
opened.catch((error) => say(error.message, true));
